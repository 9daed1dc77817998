"""The parallel family on the GPU: tiles of W x, the threshold fused.

Up to `DENSE` steps a product over time is bound by memory, and one fused pass that reads x and
writes spikes moves half of what a matrix product and a pass for the threshold do. A longer dense
product is bound by arithmetic, where cuBLAS is faster; a band stays cheap at any length.
"""

# Triton compiles the kernels; their scalars and blocks are not what a type checker takes them for
# pyright: reportArgumentType=false, reportIndexIssue=false, reportInvalidTypeForm=false
# pyright: reportMissingImports=false, reportOperatorIssue=false

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

from engram.kernel.memory import laid_out_like, time_major
from engram.kernel.native_gpu import REAL, number
from engram.kernel.team import bits
from engram.neuron.functional import state_dtype
from engram.neuron.kernel.psn_launch import Settings, reads
from engram.neuron.kernel.slope_gpu import slope

DENSE = 64
"""From so many inputs on, a dense product is left to cuBLAS."""
COLS, BLOCK = 16, 64
"""Inputs and neurons a tile: with more neurons its operands no longer fit the registers."""
PROGRAMS = 1024
"""About how many programs share the sums over neurons."""
GATE_BLOCK = 1024


class Band(NamedTuple):
    """Which inputs a step reads, and where their weights stand.

    Row r reads the columns r + earliest … r + latest; W[r, c] stands at `at + r·down + c·along`.
    """

    rows: int
    cols: int
    earliest: int
    latest: int
    at: int
    down: int
    along: int

    @property
    def transposed(self) -> "Band":
        """The band of Wᵀ in the same memory."""
        return Band(
            *(self.cols, self.rows, -self.latest, -self.earliest, self.at, self.along, self.down)
        )


@triton.jit
def _load_rows(x, row, rows, neuron, n):
    """The tile of some rows of a sequence `(rows, n)`."""
    at = tl.cast(row, tl.int64)[:, None] * n + neuron[None, :]
    return tl.load(x + at, (row < rows)[:, None] & (neuron < n)[None, :], 0.0)


@triton.jit
def _store_rows(x, value, row, rows, neuron, n):
    """Stores what `_load_rows` loads."""
    at = tl.cast(row, tl.int64)[:, None] * n + neuron[None, :]
    inside = (row < rows)[:, None] & (neuron < n)[None, :]
    tl.store(x + at, value.to(x.dtype.element_ty), inside)


@triton.jit
def _inside(row, col, rows, cols, earliest, latest):
    """Which weights of a tile exist."""
    age = col[None, :] - row[:, None]
    exists = (row < rows)[:, None] & (col < cols)[None, :]
    return exists & (age >= earliest) & (age <= latest)


@triton.jit
def _add_product(a, b, total):
    """The total + a b, in the precision of the total."""
    if total.dtype == tl.float64:  # which not every Triton multiplies by `dot`
        total += tl.sum(a[:, :, None] * b[None, :, :], 1)
    else:
        total = tl.dot(a, b, total, input_precision="ieee")  # TF32 would move spikes
    return total


@triton.jit
def _product(
    x,
    weight,
    threshold,
    g_spikes,
    kept,
    out,
    n,
    rows,
    cols,
    earliest,
    latest,
    at,
    down,
    along,
    of_threshold,
    scale: tl.int64,
    width: tl.int64,
    REAL: tl.constexpr,
    SHAPE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """A tile of W x; of spikes where there is a threshold; of dL/dH where there are gradients."""
    first = tl.program_id(0) * ROWS
    row = first + tl.arange(0, ROWS)
    neuron = tl.cast(tl.program_id(1), tl.int64) * BLOCK + tl.arange(0, BLOCK)
    start = tl.maximum(first + earliest, 0) // COLS * COLS
    end = tl.minimum(first + ROWS + latest, cols)
    h = tl.zeros([ROWS, BLOCK], REAL)
    for c in range(start, end, COLS):
        col = c + tl.arange(0, COLS)
        where = at + row[:, None] * down + col[None, :] * along
        w = tl.load(weight + where, _inside(row, col, rows, cols, earliest, latest), 0.0)
        x_c = _load_rows(x, col, cols, neuron, n).to(REAL)
        h = _add_product(w, x_c, h)
    if threshold is not None:
        h -= tl.load(threshold + row * of_threshold, row < rows, 0.0)[:, None]
    if kept is not None:
        _store_rows(kept, h, row, rows, neuron, n)
    if g_spikes is not None:
        g = _load_rows(g_spikes, row, rows, neuron, n).to(REAL)
        h = g * number(scale, REAL) * slope(number(width, REAL) * h, SHAPE)
    elif threshold is not None:
        h = (h >= 0).to(REAL)
    _store_rows(out, h, row, rows, neuron, n)


@triton.jit
def _gate(
    g_spikes,
    charge,
    g,
    size,
    scale: tl.int64,
    width: tl.int64,
    REAL: tl.constexpr,
    SHAPE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """dL/dH from dL/dS and H − B."""
    i = tl.cast(tl.program_id(0), tl.int64) * BLOCK + tl.arange(0, BLOCK)
    h = tl.load(charge + i, i < size, 0.0)
    ds_dh = number(scale, REAL) * slope(number(width, REAL) * h, SHAPE)
    tl.store(g + i, tl.load(g_spikes + i, i < size, 0.0).to(REAL) * ds_dh, i < size)


@triton.jit
def _parameter_gradient(
    g,
    x,
    g_weight,
    g_threshold,
    n,
    size,
    rows,
    cols,
    earliest,
    latest,
    at,
    down,
    along,
    REAL: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """A tile of dL/dW = G xᵀ and dL/dB = −Σ G, over every so many-th block of neurons."""
    first = tl.program_id(0) * ROWS
    row = first + tl.arange(0, ROWS)
    col = (tl.maximum(first + earliest, 0) // COLS + tl.program_id(1)) * COLS + tl.arange(0, COLS)
    share = tl.program_id(2)
    of_weight = tl.zeros([ROWS, COLS], REAL)
    of_threshold = tl.zeros([ROWS], REAL)
    for block in range(share, tl.cdiv(n, BLOCK), tl.num_programs(2)):
        neuron = tl.cast(block, tl.int64) * BLOCK + tl.arange(0, BLOCK)
        g_b = _load_rows(g, row, rows, neuron, n)
        x_b = _load_rows(x, col, cols, neuron, n).to(REAL)
        of_weight = _add_product(g_b, tl.trans(x_b), of_weight)
        of_threshold -= tl.sum(g_b, 1)
    where = tl.cast(share, tl.int64) * size + at + row[:, None] * down + col[None, :] * along
    tl.store(g_weight + where, of_weight, _inside(row, col, rows, cols, earliest, latest))
    if tl.program_id(1) == 0:
        tl.store(g_threshold + share * rows + row, of_threshold, row < rows)


def psn_forward(
    x: Tensor, weight: Tensor, threshold: Tensor, *numbers: Any
) -> tuple[Tensor, Tensor]:
    """`engram::psn` on the GPU; the last of the `Settings` is whether to keep H − B."""
    settings = Settings(*numbers)
    steps, k = settings.steps, settings.k
    real = state_dtype(x)
    inputs = time_major(x)
    spikes = _rows(inputs, steps, x.dtype)
    kept = _rows(inputs, steps, real) if settings.save else None
    if x.numel():
        w, b = weight.to(real), threshold.to(real)
        with torch.cuda.device_of(x), torch.autocast(x.device.type, enabled=False):
            if _is_long(x, k):
                torch.ge(_charge(inputs, w, b, kept), 0, out=_flat(spikes))
            else:
                _launch_product(_band(inputs, w, settings), inputs, w, spikes, b, kept=kept)
    return spikes, x.new_empty(0, dtype=real) if kept is None else kept


def psn_backward(
    g_spikes: Tensor,
    x: Tensor,
    weight: Tensor,
    threshold: Tensor,
    kept: Tensor,
    *numbers: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    """`engram::psn_backward` on the GPU; sums over neurons are taken in a fixed order."""
    settings = Settings(*numbers)
    k, real = settings.k, state_dtype(x)
    inputs = time_major(x)
    if not x.numel():
        return torch.empty_like(inputs), torch.zeros_like(weight), torch.zeros_like(threshold)
    w, b = weight.to(real), threshold.to(real)
    g = _rows(inputs, settings.steps, real)
    band = _band(inputs, w, settings)
    surrogate = {
        "scale": bits(settings.scale),
        "width": bits(settings.width),
        "SHAPE": settings.shape,
    }
    with torch.cuda.device_of(x), torch.autocast(x.device.type, enabled=False):
        g_s = laid_out_like(g, g_spikes)
        if kept.numel() or _is_long(x, k):
            charge = kept if kept.numel() else _charge(inputs, w, b)
            grid = (triton.cdiv(g.numel(), GATE_BLOCK),)
            _gate[grid](g_s, charge, g, g.numel(), REAL=REAL[real], BLOCK=GATE_BLOCK, **surrogate)
        else:
            _launch_product(band, inputs, w, g, b, g_s, **surrogate)
        if _is_long(x, k):
            g_x, g_weight, g_threshold = _long_gradients(g, inputs, w)
        else:
            g_x = torch.empty_like(inputs)
            _launch_product(band.transposed, g, w, g_x)
            g_weight, g_threshold = _tiled_gradients(band, g, inputs, w, k)
    return (
        g_x,
        g_weight.to(weight.dtype),
        (g_threshold if threshold.ndim else g_threshold.sum()).to(threshold.dtype),
    )


def _long_gradients(g: Tensor, inputs: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, of W and of B, one a row, from that of H."""
    flat, g_x = _flat(g), torch.empty_like(inputs)
    _flat(g_x).copy_(weight.T @ flat)
    return g_x, flat @ _flat(inputs).to(g.dtype).T, -flat.sum(1)


def _launch_product(
    band: Band,
    x: Tensor,
    weight: Tensor,
    out: Tensor,
    threshold: Tensor | None = None,
    g_spikes: Tensor | None = None,
    kept: Tensor | None = None,
    **surrogate: int,
) -> None:
    n = x[0].numel()
    form = _form(band, weight.dtype)
    _product[(triton.cdiv(band.rows, form["ROWS"]), triton.cdiv(n, form["BLOCK"]))](
        *(x, weight, threshold, g_spikes, kept, out, n, *band),
        of_threshold=threshold.stride(0) if threshold is not None and threshold.ndim else 0,
        **({"scale": 0, "width": 0, "SHAPE": 0} | surrogate),
        **form,
    )


def _tiled_gradients(
    band: Band, g: Tensor, inputs: Tensor, weight: Tensor, k: int | None
) -> tuple[Tensor, Tensor]:
    """The gradients of W and of B, one a row, from that of H; of a band only k a row are summed."""
    n = inputs[0].numel()
    form = _form(band, g.dtype)
    down = triton.cdiv(band.rows, form["ROWS"])
    reach = band.latest - band.earliest + form["ROWS"]
    across = min(triton.cdiv(band.cols, COLS), (reach - 1) // COLS + 2)
    shares = min(triton.cdiv(n, form["BLOCK"]), triton.cdiv(PROGRAMS, down * across))
    wide = band.cols if k is None else k
    at = (0, wide, 1) if k is None else (-band.earliest, wide - 1, 1)
    of_weight = g.new_zeros(shares, band.rows, wide)
    of_threshold = g.new_empty(shares, band.rows)
    _parameter_gradient[(down, across, shares)](
        *(g, inputs, of_weight, of_threshold, n, band.rows * wide, *band[:4], *at), **form
    )
    g_weight = of_weight.sum(0, dtype=torch.float64)
    if weight.ndim == 1:
        g_weight = g_weight.sum(0)
    elif k is not None:
        g_weight = _unrolled(g_weight, band)
    return g_weight, of_threshold.sum(0, dtype=torch.float64)


def _unrolled(g_band: Tensor, band: Band) -> Tensor:
    """The gradient of W from that of its band `(rows, k)`, row r of which starts at its input."""
    rows, k = g_band.shape
    skewed = g_band.new_zeros(rows, rows + k - 1)
    skewed.as_strided((rows, k), (rows + k, 1)).copy_(g_band)
    return pad(skewed, (band.earliest, 0))


def _band(inputs: Tensor, weight: Tensor, settings: Settings) -> Band:
    steps = settings.steps
    return Band(steps, len(inputs), *reads(weight, len(inputs), steps, settings.k))


def _form(band: Band, real: torch.dtype) -> dict[str, Any]:
    """What the tiled kernels are compiled for."""
    double = real == torch.float64  # its product is an outer product in registers, and small
    return {
        "REAL": REAL[real],
        "ROWS": 16 if band.rows <= 16 or double else 32,
        "COLS": COLS,
        "BLOCK": 16 if double else BLOCK,
        "enable_fp_fusion": True,
    }


def _is_long(x: Tensor, k: int | None) -> bool:
    return k is None and x.shape[0] >= DENSE


def _charge(
    inputs: Tensor, weight: Tensor, threshold: Tensor, kept: Tensor | None = None
) -> Tensor:
    """H − B of a dense neuron, `(steps, n)`, in the memory to keep it where there is one."""
    return torch.addmm(
        -threshold.reshape(-1, 1),
        weight,
        _flat(inputs).to(weight.dtype),
        out=None if kept is None else _flat(kept),
    )


def _flat(x: Tensor) -> Tensor:
    """A time-major sequence as `(time, n)`, its neurons as they lie in memory."""
    n = x[0].numel()
    return x.as_strided((x.shape[0], n), (n, 1))


def _rows(inputs: Tensor, steps: int, dtype: torch.dtype) -> Tensor:
    """New memory for `steps` steps in the layout of the inputs."""
    stride = (inputs[0].numel(), *inputs.stride()[1:])
    return inputs.new_empty_strided((steps, *inputs.shape[1:]), stride, dtype=dtype)
