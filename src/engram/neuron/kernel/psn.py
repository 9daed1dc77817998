"""The parallel family as one operator, `engram::psn`: dense, banded or sliding by its weight."""

from functools import cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engram.errors import EngramError
from engram.kernel.eager import (
    differentiate,
    differentiates_again,
    refuse_tangents,
    transformed,
    unwatched,
)
from engram.kernel.memory import REALS, laid_out_like, new_like, stored, time_major
from engram.kernel.team import Entry, bits, entry, launch
from engram.neuron import functional
from engram.neuron.check import STATE_DTYPES, check_companion, check_gradient, check_sequence
from engram.neuron.functional import state_dtype
from engram.neuron.kernel.shape import check_shape, shape_of, surrogate_of
from engram.neuron.surrogate import Surrogate

OPERATOR = "engram::psn"
"""Its name at the dispatcher."""

KEEP = 64
"""From so many inputs a step on, keeping H for the backward is cheaper than computing it twice."""
BLOCK, SHORT_BLOCK = 512, 256
"""Neurons a block: so many that sums over it are long, so few that its steps stay in the cache."""
LONG = 128
"""From so many inputs or steps on, a block is a short one."""
PIECES, SUMS, SHARE = 64, 1 << 20, 1024
"""The backward adds up the gradient of W in at most so many pieces, and so many numbers, and over
at least so many neurons a piece: fewer would not be worth their sums."""


class Settings(NamedTuple):
    """What of a parallel neuron is no tensor, in the order of the operator's arguments."""

    steps: int
    k: int | None
    shape: int
    scale: float
    width: float
    save: bool


def psn(x: Tensor, weight: Tensor, threshold: Tensor, surrogate: Surrogate) -> Tensor:
    """`functional.psn`, compiled."""
    return _run(x, weight, threshold, surrogate, weight.shape[0], None)


def banded_psn(
    x: Tensor, weight: Tensor, threshold: Tensor, surrogate: Surrogate, *, k: int
) -> Tensor:
    """`functional.psn` of a causal band: step i reads its own input and the k − 1 before it.

    H[i] = Σ_j W[i, j] X[j] over the k inputs up to that of step i; the rest of W is not read.

    Args:
        x: Input sequence, `(time_in, *neurons)`; the last row of W stands at its last input.
        weight: W `(time, time_in)`, time ≤ time_in.
        threshold: B, one a step `(time,)` or one for all `()`.
        surrogate: The spike function.
        k: Order.
    """
    return _run(x, weight, threshold, surrogate, weight.shape[0], k)


def sliding_psn(
    x: Tensor, weight: Tensor, threshold: Tensor, surrogate: Surrogate, *, steps: int
) -> Tensor:
    """The last `steps` steps of `functional.psn` with the matrix of `functional.sliding_weight`.

    H[t] = Σ_i W_i X[t − k + 1 + i], zero before the first input; the matrix is never built.

    Args:
        x: Input sequence, `(time_in, *neurons)`, with the history before the steps wanted.
        weight: W `(k,)`.
        threshold: B, one for all steps `()`, or one a step `(steps,)`.
        surrogate: The spike function.
        steps: How many steps to return, at most time_in.
    """
    return _run(x, weight, threshold, surrogate, steps, weight.shape[0])


def _run(
    x: Tensor, weight: Tensor, threshold: Tensor, surrogate: Surrogate, steps: int, k: int | None
) -> Tensor:
    learns = x.requires_grad or weight.requires_grad or threshold.requires_grad
    save = learns and torch.is_grad_enabled()
    shape, scale, width = shape_of(surrogate)
    settings = Settings(steps, k, shape, scale, width, save)
    if x.is_cpu and unwatched(x, weight, threshold):
        if save:
            return _Eager.apply(x, weight, threshold, settings)  # pyright: ignore[reportReturnType]
        return _forward(x, weight, threshold, settings)[0]
    if not transformed():
        return psn_operator(x, weight, threshold, *settings)[0]
    check(x, weight, threshold, settings)
    return functional.psn(x, _matrix(x, weight, settings), threshold, surrogate)


class _Eager(torch.autograd.Function):
    """The operator without the dispatcher."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, threshold: Tensor, settings: Settings
    ) -> Tensor:
        spikes, kept = _forward(x, weight, threshold, settings)
        ctx.save_for_backward(x, weight, threshold, kept)
        ctx.settings = settings
        return spikes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, threshold, kept = ctx.saved_tensors
        if differentiates_again(*grads):
            again = partial(_in_torch, ctx.settings)
            needed = ctx.needs_input_grad[:3]
            return (*differentiate(again, (x, weight, threshold), needed, grads), None)
        return (*_backward(grads[0], x, weight, threshold, kept, ctx.settings), None)


def _in_torch(settings: Settings, x: Tensor, weight: Tensor, threshold: Tensor) -> tuple[Tensor]:
    """The operator in plain torch, for derivatives that the kernels do not have."""
    surrogate = surrogate_of(settings.shape, settings.scale, settings.width)
    return (functional.psn(x, _matrix(x, weight, settings), threshold, surrogate),)


def _matrix(x: Tensor, weight: Tensor, settings: Settings) -> Tensor:
    """W `(steps, time_in)` of a dense, banded or sliding neuron."""
    steps, inputs = settings.steps, x.shape[0]
    if weight.ndim == 1:
        return functional.sliding_weight(weight, inputs)[inputs - steps :]
    if settings.k is None:
        return weight
    band = functional.band_mask(inputs, settings.k, device=x.device)[inputs - steps :]
    return torch.where(band > 0, weight, 0.0)


def _forward(
    x: Tensor, weight: Tensor, threshold: Tensor, settings: Settings
) -> tuple[Tensor, Tensor]:
    check(x, weight, threshold, settings)
    real = STATE_DTYPES[x.dtype]
    inputs = time_major(x if x.dtype == real else x.to(real))
    spikes = new_like(_frame(inputs, settings.steps))
    kept = new_like(spikes) if _keeps(x, settings) else spikes.new_empty(0)
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


def _backward(
    g_spikes: Tensor,
    x: Tensor,
    weight: Tensor,
    threshold: Tensor,
    kept: Tensor,
    settings: Settings,
) -> tuple[Tensor, Tensor, Tensor]:
    real = STATE_DTYPES[x.dtype]
    inputs = time_major(x if x.dtype == real else x.to(real))
    g_x = new_like(inputs)
    g_w = torch.zeros(weight.shape, dtype=torch.float64)
    g_b = torch.zeros(threshold.shape, dtype=torch.float64)
    if x.numel():
        w, b = stored(weight, real), stored(threshold, real)
        frame = _frame(inputs, settings.steps)
        g = laid_out_like(frame, g_spikes.to(real))
        above = laid_out_like(frame, kept) if kept.numel() else None
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
    """Which inputs each step reads, and where its weights stand, as all kernels take it."""

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
        """How many numbers the gradients of W and B are, panel by panel."""
        from engram.neuron.kernel.psn_cpu import ROWS, across

        width = across.py_func(self.inputs, self.earliest, self.latest)
        return -(-self.steps // ROWS) * ROWS * width + self.steps


def _band(x: Tensor, weight: Tensor, threshold: Tensor, settings: Settings) -> _Band:
    inputs, steps, k = x.shape[0], settings.steps, settings.k
    history = inputs - steps
    earliest, latest = (-steps, inputs) if k is None else (history - k + 1, history)
    at, down, along = 0, weight.stride(0), weight.stride(-1)
    if weight.ndim == 1:
        at, down = along * (weight.shape[0] - 1 - history), -along
    return _Band(
        steps=steps,
        inputs=inputs,
        neurons=x.numel() // inputs,
        earliest=earliest,
        latest=latest,
        at=at,
        down=down,
        along=along,
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
    """How many pieces the backward falls into, and blocks a piece: never a matter of threads."""
    share = max(SHARE // band.block, -(-blocks // min(PIECES, max(4, SUMS // band.sums))))
    return -(-blocks // share), share


def _frame(x: Tensor, steps: int) -> Tensor:
    """A sequence of `steps` steps in the layout of x, for the sake of its layout."""
    if steps <= x.shape[0]:
        return x[:steps]
    return x.new_empty_strided((steps, *x.shape[1:]), (x[0].numel(), *x.stride()[1:]))


def _keeps(x: Tensor, settings: Settings) -> bool:
    return settings.save and min(x.shape[0], settings.k or x.shape[0]) >= KEEP


@torch.library.custom_op(OPERATOR, mutates_args=(), device_types="cpu")
def psn_operator(
    x: Tensor,
    weight: Tensor,
    threshold: Tensor,
    steps: int,
    k: int | None,
    shape: int,
    scale: float,
    width: float,
    save: bool,
) -> tuple[Tensor, Tensor]:
    """Spikes Θ(W x − B) of a sequence, and what the backward wants kept.

    The last of the `steps` rows of W stands at the last input, so that x may begin with a history.

    Args:
        x: Input sequence `(time_in, *neurons)`.
        weight: W `(steps, time_in)`, or `(k,)` of the sliding neuron, whose rows are one, shifted.
        threshold: B, one a step `(steps,)` or one for all `()`.
        steps: How many steps to return; at most time_in where k is given.
        k: Order: step i reads its own and the k − 1 inputs before; None reads all.
        shape: The surrogate gradient is scale · shape(width · x), see `kernel.shape`.
        scale: Its scale.
        width: Its width.
        save: Whether a backward may follow.

    Returns:
        Spikes `(steps, *neurons)` in the dtype of x; and H − B where it is worth keeping, else
        nothing, shaped `(0,)`. No gradient flows through the latter.
    """
    refuse_tangents(OPERATOR)
    check_shape(shape, scale, width)
    return _forward(x, weight, threshold, Settings(steps, k, shape, scale, width, save))


@psn_operator.register_kernel("cuda")
def _(x: Tensor, weight: Tensor, threshold: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
    from engram.neuron.kernel import psn_gpu

    refuse_tangents(OPERATOR)
    check(x, weight, threshold, Settings(*settings))
    keep = _keeps(x, Settings(*settings))
    numbers: Any = (*settings[:-1], keep)
    return psn_gpu.psn_forward(x, weight, threshold, *numbers)


@psn_operator.register_fake
def _(x: Tensor, weight: Tensor, threshold: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
    options = Settings(*settings)
    spikes = torch.empty_like(_frame(time_major(x), options.steps))
    kept = torch.empty_like(spikes, dtype=state_dtype(x))
    return spikes, kept if _keeps(x, options) else kept.new_empty(0)


@torch.library.custom_op("engram::psn_backward", mutates_args=(), device_types="cpu")
def psn_backward(
    g_spikes: Tensor,
    x: Tensor,
    weight: Tensor,
    threshold: Tensor,
    kept: Tensor,
    steps: int,
    k: int | None,
    shape: int,
    scale: float,
    width: float,
    save: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `psn_operator`'s x, weight and threshold."""
    settings = Settings(steps, k, shape, scale, width, save)
    check_shape(shape, scale, width)
    check(x, weight, threshold, settings)
    check_gradients(g_spikes, x, kept, settings)
    return _backward(g_spikes, x, weight, threshold, kept, settings)


@psn_backward.register_kernel("cuda")
def _(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
    from engram.neuron.kernel import psn_gpu

    g_spikes, x, weight, threshold, kept, *settings = args
    check(x, weight, threshold, Settings(*settings))
    check_gradients(g_spikes, x, kept, Settings(*settings))
    return psn_gpu.psn_backward(*args)


@psn_backward.register_fake
def _(
    g_spikes: Tensor, x: Tensor, weight: Tensor, threshold: Tensor, *_: object
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.empty_like(time_major(x)),
        weight.new_empty(weight.shape),
        threshold.new_empty(threshold.shape),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, weight, threshold, *ctx.settings = inputs
    ctx.save_for_backward(x, weight, threshold, output[1])
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, g_spikes: Tensor | None, _: object) -> tuple[Tensor | None, ...]:
    if g_spikes is None:
        return (None,) * 9
    x, weight, threshold, kept = ctx.saved_tensors
    settings = Settings(*ctx.settings)
    if differentiates_again(g_spikes):
        again, needed = partial(_in_torch, settings), ctx.needs_input_grad[:3]
        grads = differentiate(again, (x, weight, threshold), needed, (g_spikes,))
    else:
        grads = psn_backward(g_spikes, x, weight, threshold, kept, *settings)
    return (*grads, *(None,) * 6)


psn_operator.register_autograd(_differentiate, setup_context=_save)
