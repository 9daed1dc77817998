"""Launches the CPU kernels of the parallel family, after checking what they index with."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from engram.errors import EngramError
from engram.kernel.memory import REALS, laid_out_like, new_like, stored, time_major
from engram.kernel.team import Entry, bits, entry, launch
from engram.neuron import functional
from engram.neuron.check import STATE_DTYPES, check_companion, check_gradient, check_sequence
from engram.neuron.kernel.shape import surrogate_of

KEEP = 64
"""Inputs per step from which keeping H for the backward is cheaper than computing it twice."""
BLOCK, SHORT_BLOCK = 512, 256
"""Neurons per block: long sums, but few enough for all steps of a block to stay in the cache."""
LONG = 128
"""Number of inputs or steps from which blocks are short."""
PIECES, SUMS, SHARE = 64, 1 << 20, 1024
"""Limits of the backward, which sums the gradient of W piece by piece: most pieces, most numbers in
all pieces together, and fewest neurons per piece."""


class Settings(NamedTuple):
    """The settings of a parallel neuron that are not tensors, in the order of the operator's."""

    steps: int
    k: int | None
    shape: int
    scale: float
    width: float
    save: bool


def reference(settings: Settings, x: Tensor, weight: Tensor, threshold: Tensor) -> tuple[Tensor]:
    """The operator in plain torch, for derivatives that the kernels do not have."""
    surrogate = surrogate_of(settings.shape, settings.scale, settings.width)
    return (functional.psn(x, matrix(x, weight, settings), threshold, surrogate),)


def matrix(x: Tensor, weight: Tensor, settings: Settings) -> Tensor:
    """W `(steps, time_in)` of a dense, banded or sliding neuron."""
    steps, inputs = settings.steps, x.shape[0]
    if weight.ndim == 1:
        return functional.sliding_weight(weight, inputs)[inputs - steps :]
    if settings.k is None:
        return weight
    band = functional.band_mask(inputs, settings.k, device=x.device)[inputs - steps :]
    return torch.where(band > 0, weight, 0.0)


def forward(
    x: Tensor, weight: Tensor, threshold: Tensor, settings: Settings
) -> tuple[Tensor, Tensor]:
    """Spikes of a sequence, and H − B if it is worth keeping; see `psn.psn_operator`."""
    check(x, weight, threshold, settings)
    real = STATE_DTYPES[x.dtype]
    inputs = time_major(x if x.dtype == real else x.to(real))
    spikes = new_like(frame(inputs, settings.steps))
    kept = new_like(spikes) if keeps(x, settings) else spikes.new_empty(0)
    if x.numel():
        w, b = stored(weight, real), stored(threshold, real)
        band = _band(x, w, b, settings)
        launch(
            _forward_kernel(real),
            -(-band.neurons // band.block),
            x.numel(),
            *band,
            inputs.data_ptr(),
            spikes.data_ptr(),
            kept.data_ptr() if kept.numel() else 0,
            w.data_ptr(),
            b.data_ptr(),
            threads=torch.get_num_threads(),
        )
    return spikes if x.dtype == real else spikes.to(x.dtype), kept


def backward(
    g_spikes: Tensor,
    x: Tensor,
    weight: Tensor,
    threshold: Tensor,
    kept: Tensor,
    settings: Settings,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, weight and threshold, which `forward` has checked."""
    real = STATE_DTYPES[x.dtype]
    inputs = time_major(x if x.dtype == real else x.to(real))
    g_x = new_like(inputs)
    g_w = torch.zeros(weight.shape, dtype=torch.float64)
    g_b = torch.zeros(threshold.shape, dtype=torch.float64)
    if x.numel():
        w, b = stored(weight, real), stored(threshold, real)
        like = frame(inputs, settings.steps)
        g = laid_out_like(like, g_spikes.to(real))
        above = laid_out_like(like, kept) if kept.numel() else None
        band = _band(x, w, b, settings)
        pieces, share = _pieces(-(-band.neurons // band.block), band)
        sums = torch.zeros(pieces, band.sums, dtype=torch.float64)
        launch(
            _backward_kernel(real, settings.shape),
            pieces,
            x.numel(),
            *band,
            inputs.data_ptr(),
            g.data_ptr(),
            0 if above is None else above.data_ptr(),
            w.data_ptr(),
            b.data_ptr(),
            g_x.data_ptr(),
            sums.data_ptr(),
            share,
            bits(settings.scale),
            bits(settings.width),
            threads=torch.get_num_threads(),
        )
        out = _band(x, g_w, g_b, settings)
        sides = (sums.data_ptr(), pieces, g_w.data_ptr(), g_b.data_ptr())
        launch(_collect(), 1, 0, *out, *sides, threads=1)
    return g_x.to(x.dtype), g_w.to(weight.dtype), g_b.to(threshold.dtype)


@cache
def _forward_kernel(real: torch.dtype) -> Entry:
    from engram.neuron.kernel import psn_cpu  # Numba is loaded when first needed

    return entry(psn_cpu.forward(REALS[real]))


@cache
def _backward_kernel(real: torch.dtype, shape: int) -> Entry:
    from engram.neuron.kernel import psn_cpu

    return entry(psn_cpu.backward(REALS[real], shape))


@cache
def _collect() -> Entry:
    from engram.neuron.kernel import psn_cpu

    return entry(psn_cpu.collect())


class _Band(NamedTuple):
    """Which inputs each step reads, and the layout of its weights: arguments of all kernels."""

    steps: int
    inputs: int
    neurons: int
    earliest: int
    latest: int
    at: int
    down: int
    along: int
    of_threshold: int
    block: int

    @property
    def sums(self) -> int:
        """Size of the gradients of W and B, panel by panel."""
        from engram.neuron.kernel.psn_cpu import ROWS, across

        width = across.py_func(self.inputs, self.earliest, self.latest)
        return -(-self.steps // ROWS) * ROWS * width + self.steps


def reads(weight: Tensor, inputs: int, steps: int, k: int | None) -> tuple[int, int, int, int, int]:
    """Which inputs each step reads, and the layout of W.

    Returns:
        earliest, latest, at, down, along: step i reads the inputs i + earliest … i + latest, and
        W[i, j] is at `at + i·down + j·along`.
    """
    history = inputs - steps
    earliest, latest = (-steps, inputs) if k is None else (history - k + 1, history)
    at, down, along = 0, weight.stride(0), weight.stride(-1)
    if weight.ndim == 1:
        at, down = along * (weight.shape[0] - 1 - history), -along
    return earliest, latest, at, down, along


def _band(x: Tensor, weight: Tensor, threshold: Tensor, settings: Settings) -> _Band:
    inputs, steps = x.shape[0], settings.steps
    return _Band(
        steps,
        inputs,
        x.numel() // inputs,
        *reads(weight, inputs, steps, settings.k),
        of_threshold=threshold.stride(0) if threshold.ndim else 0,
        block=BLOCK if max(steps, inputs) < LONG else SHORT_BLOCK,
    )


def check(x: Tensor, weight: Tensor, threshold: Tensor, settings: Settings) -> None:
    """Raises ValueError where the kernels would read what is not there."""
    check_sequence(x)
    steps, k = settings.steps, settings.k
    if weight.shape != ((k,) if weight.ndim == 1 else (steps, x.shape[0])):
        raise EngramError(
            f"weight of shape {tuple(weight.shape)} for {steps} steps of a sequence of "
            f"{x.shape[0]}: it must be ({steps}, {x.shape[0]}), or ({k},) of a sliding neuron"
        )
    if threshold.shape not in ((), (steps,)):
        raise EngramError(
            f"threshold of shape {tuple(threshold.shape)} for {steps} steps: it must be "
            f"({steps},), or () for one threshold"
        )
    if steps < 1 or (k is not None and not (k >= 1 and steps <= x.shape[0])):
        raise EngramError(
            f"{steps} steps of order k={k} of a sequence of {x.shape[0]}: ask for at least one "
            "step of an order of at least 1, and for no more steps than the sequence has"
        )
    check_companion("weight", weight, x)
    check_companion("threshold", threshold, x)


def check_gradients(g_spikes: Tensor, x: Tensor, kept: Tensor, settings: Settings) -> None:
    """Raises ValueError where the backward kernels would read what is not there."""
    shape = torch.Size((settings.steps, *x.shape[1:]))
    check_gradient("spikes", g_spikes, x, shape)
    if kept.shape not in ((0,), shape) or kept.dtype != STATE_DTYPES[x.dtype]:
        raise EngramError(
            f"what the forward kept has shape {tuple(kept.shape)} and dtype {kept.dtype}: the "
            f"backward takes what engram::psn returned for this input, {tuple(shape)} of dtype "
            f"{STATE_DTYPES[x.dtype]}, or nothing, (0,)"
        )
    check_companion("kept charge", kept, x)


def _pieces(blocks: int, band: _Band) -> tuple[int, int]:
    """Pieces of the backward, and blocks per piece; they do not depend on the number of threads."""
    share = max(SHARE // band.block, -(-blocks // min(PIECES, max(4, SUMS // band.sums))))
    return -(-blocks // share), share


def frame(x: Tensor, steps: int) -> Tensor:
    """A sequence of `steps` steps that has the layout of x; its values are not used."""
    if steps <= x.shape[0]:
        return x[:steps]
    return x.new_empty_strided((steps, *x.shape[1:]), (x[0].numel(), *x.stride()[1:]))


def keeps(x: Tensor, settings: Settings) -> bool:
    """Whether H − B is kept for the backward."""
    return settings.save and min(x.shape[0], settings.k or x.shape[0]) >= KEEP
