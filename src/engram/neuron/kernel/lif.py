"""The LIF family as one operator, `engram::lif`: autograd, compilation and export see one node."""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engram.neuron.functional import LIFState, state_dtype
from engram.neuron.kernel.eager import unwatched
from engram.neuron.kernel.memory import laid_out_like, new_like, time_major
from engram.neuron.kernel.shape import shape_of
from engram.neuron.kernel.team import Entry, address, bits, entry, launch
from engram.neuron.surrogate import Surrogate

BLOCK, LONG_BLOCK, SHORT_BLOCK = 4096, 8192, 512
"""Neurons a piece: a block's membrane stays in the first-level cache; what comes from memory rather
than from a cache comes faster in longer runs; few neurons fall into four pieces for the threads."""
IN_CACHE = 1 << 21
"""Neuron-steps whose input and spikes a third-level cache holds."""
SCRATCH = 1 << 18
"""Charges that the backward of one piece recomputes and holds, in the second-level cache."""


class Settings(NamedTuple):
    """What of a LIF is no tensor, in the order of the operator's arguments."""

    tau: float
    threshold: float
    reset: float | None
    decay_input: bool
    detach_reset: bool
    shape: int
    scale: float
    width: float


def lif(
    x: Tensor,
    state: LIFState | None = None,
    *,
    tau: float = 2.0,
    leak: Tensor | None = None,
    threshold: float = 1.0,
    reset: float | None = 0.0,
    decay_input: bool = True,
    detach_reset: bool = False,
    surrogate: Surrogate,
) -> tuple[Tensor, LIFState]:
    """`functional.lif`, compiled."""
    voltage = None if state is None else state.voltage
    settings = Settings(tau, threshold, reset, decay_input, detach_reset, *shape_of(surrogate))
    if not (x.is_cpu and unwatched(x)):
        spikes, after = lif_operator(x, voltage, leak, *settings)
    elif torch.is_grad_enabled():
        spikes, after = _Eager.apply(x, voltage, leak, settings)  # pyright: ignore[reportGeneralTypeIssues]
    else:
        spikes, after = _forward(x, voltage, leak, settings)
    return spikes, LIFState(after)


class _Eager(torch.autograd.Function):
    """The operator without the dispatcher."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, voltage: Tensor | None, leak: Tensor | None, settings: Settings
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, voltage, leak)
        ctx.settings = settings
        ctx.set_materialize_grads(False)
        return _forward(x, voltage, leak, settings)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        return (*_differentiate(_backward, ctx, *grads), None)


def _forward(
    x: Tensor, voltage: Tensor | None, leak: Tensor | None, settings: Settings
) -> tuple[Tensor, Tensor]:
    real = state_dtype(x)
    inputs = time_major(x if x.dtype == real else x.to(real))
    spikes, after = new_like(inputs), new_like(inputs[0])
    if x.numel():
        before = None if voltage is None else laid_out_like(after, voltage.to(real))
        kernel, numbers = _forward_kernel(real, leak is not None, settings)
        n = after.numel()
        block = block_of(x)
        launch(
            kernel,
            -(-n // block),
            x.numel(),
            inputs.data_ptr(),
            spikes.data_ptr(),
            address(before),
            after.data_ptr(),
            x.shape[0],
            n,
            block,
            numbers[0] if leak is None else bits(leak.item()),
            *numbers[1:],
        )
    return spikes if x.dtype == real else spikes.to(x.dtype), after


def _backward(
    g_spikes: Tensor | None,
    g_after: Tensor | None,
    x: Tensor,
    voltage: Tensor | None,
    leak: Tensor | None,
    settings: Settings,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    real = state_dtype(x)
    inputs = time_major(x if x.dtype == real else x.to(real))
    g_x = new_like(inputs)
    g_before = None if voltage is None else new_like(inputs[0])
    n = x.shape[1:].numel()
    block = max(64, min(block_of(x), SCRATCH // x.shape[0] // 64 * 64))
    pieces = -(-n // block)
    g_leak = None if leak is None else torch.zeros(pieces, dtype=torch.float64)
    if x.numel():
        step = inputs[0]
        g = torch.zeros_like(inputs) if g_spikes is None else laid_out_like(inputs, g_spikes)
        g = g if g.dtype == real else g.to(real)
        before = None if voltage is None else laid_out_like(step, voltage.to(real))
        after = None if g_after is None else laid_out_like(step, g_after.to(real))
        kernel, numbers = _backward_kernel(real, leak is not None, settings)
        if leak is not None:
            numbers = _leak_words(leak.item(), settings, numbers)
        launch(
            kernel,
            pieces,
            x.numel(),
            inputs.data_ptr(),
            g.data_ptr(),
            g_x.data_ptr(),
            address(before),
            address(after),
            address(g_before),
            address(g_leak),
            x.shape[0],
            n,
            block,
            *numbers,
        )
    return (
        g_x if x.dtype == real else g_x.to(x.dtype),
        g_before,
        None if g_leak is None else g_leak.sum(),
    )


def block_of(x: Tensor) -> int:
    """Neurons a piece, by the size of the work alone."""
    quarter = -(-x.shape[1:].numel() // 256) * 64
    return min(BLOCK if x.numel() <= IN_CACHE else LONG_BLOCK, max(SHORT_BLOCK, quarter))


@lru_cache(256)
def _forward_kernel(
    real: torch.dtype, learned: bool, settings: Settings
) -> tuple[Entry, tuple[int, ...]]:
    """The kernel of these settings, and its last words: τ, threshold, reset potential."""
    from engram.neuron.kernel import lif_cpu, native  # Numba is loaded when first needed

    form = form_of(learned, settings)
    numbers = (tau_of(form[0], settings), settings.threshold, settings.reset or 0.0)
    return entry(lif_cpu.forward(native.REALS[real], *form)), tuple(map(bits, numbers))


@lru_cache(256)
def _backward_kernel(
    real: torch.dtype, learned: bool, settings: Settings
) -> tuple[Entry, tuple[int, ...]]:
    """The kernel of these settings, and its last words, from τ to the surrogate's width."""
    from engram.neuron.kernel import lif_cpu, native

    form = form_of(learned, settings)
    address = lif_cpu.backward(
        native.REALS[real], *form, learned, settings.detach_reset, settings.shape
    )
    leak = 1.0 / settings.tau
    numbers = (
        *(tau_of(form[0], settings), settings.threshold, settings.reset or 0.0),
        *(leak if settings.decay_input else 1.0, 1.0 - leak, settings.scale, settings.width),
    )
    return entry(address), tuple(map(bits, numbers))


def _leak_words(leak: float, settings: Settings, words: tuple[int, ...]) -> tuple[int, ...]:
    """The last words of the backward kernel with a learned leak in place of τ."""
    dh_dx = bits(leak if settings.decay_input else 1.0)
    return (bits(leak), *words[1:3], dh_dx, bits(1.0 - leak), *words[5:])


def form_of(learned: bool, settings: Settings) -> tuple[int, bool, int]:
    """Which kernel: how it charges, whether the input decays, how it resets."""
    from engram.neuron.kernel import lif_cpu as cpu

    tau, reset = settings.tau, settings.reset
    if learned or math.frexp(tau)[0] == 0.5:  # by a power of two, both round alike
        kind = cpu.MULTIPLY
    else:
        kind = cpu.DIVIDE if math.isfinite(tau) else cpu.INTEGRATE
    return (
        kind,
        settings.decay_input,
        cpu.SOFT if reset is None else cpu.TO_ZERO if reset == 0.0 else cpu.TO_VALUE,
    )


def tau_of(kind: int, settings: Settings) -> float:
    """What a kernel of this kind takes τ as."""
    from engram.neuron.kernel import lif_cpu

    return 1.0 / settings.tau if kind == lif_cpu.MULTIPLY else settings.tau


@torch.library.custom_op("engram::lif", mutates_args=(), device_types="cpu")
def lif_operator(
    x: Tensor,
    voltage: Tensor | None,
    leak: Tensor | None,
    tau: float,
    threshold: float,
    reset: float | None,
    decay_input: bool,
    detach_reset: bool,
    shape: int,
    scale: float,
    width: float,
) -> tuple[Tensor, Tensor]:
    """Spikes of a sequence `(time, *neurons)` and the membrane `(*neurons)` after it.

    Args:
        x: Input sequence.
        voltage: The membrane before; None is the reset potential.
        leak: 1/τ where it is learned.
        tau: τ where it is not; infinite for no leak.
        threshold: Firing threshold.
        reset: Reset potential; None is the soft reset.
        decay_input: Whether the input, too, is divided by τ.
        detach_reset: Whether the gradient ignores the path through the reset.
        shape: The surrogate gradient is scale · shape(width · x), see `kernel.shape`.
        scale: Its scale.
        width: Its width.
    """
    settings = Settings(tau, threshold, reset, decay_input, detach_reset, shape, scale, width)
    return _forward(x, voltage, leak, settings)


@lif_operator.register_kernel("cuda")
def _(*args: Any) -> tuple[Tensor, Tensor]:
    from engram.neuron.kernel import lif_gpu

    return lif_gpu.lif_forward(*args)


@lif_operator.register_fake
def _(x: Tensor, voltage: Tensor | None, leak: Tensor | None, *_: object) -> tuple[Tensor, Tensor]:
    inputs = time_major(x)
    return torch.empty_like(inputs), torch.empty_like(inputs[0], dtype=state_dtype(x))


@torch.library.custom_op("engram::lif_backward", mutates_args=(), device_types="cpu")
def lif_backward(
    g_spikes: Tensor | None,
    g_after: Tensor | None,
    x: Tensor,
    voltage: Tensor | None,
    leak: Tensor | None,
    tau: float,
    threshold: float,
    reset: float | None,
    decay_input: bool,
    detach_reset: bool,
    shape: int,
    scale: float,
    width: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `lif_operator`'s x, and of its voltage and leak, empty where these are None."""
    settings = Settings(tau, threshold, reset, decay_input, detach_reset, shape, scale, width)
    g_x, g_before, g_leak = _backward(g_spikes, g_after, x, voltage, leak, settings)
    return (
        g_x,
        x.new_empty(0) if g_before is None else g_before,
        x.new_empty(0) if g_leak is None else g_leak,
    )


@lif_backward.register_kernel("cuda")
def _(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
    from engram.neuron.kernel import lif_gpu

    _, _, x, voltage, leak, *_ = args
    g_x, g_before, g_leak = lif_gpu.lif_backward(*args)
    return (
        g_x,
        x.new_empty(0) if voltage is None else g_before,
        x.new_empty(0) if leak is None else g_leak,
    )


@lif_backward.register_fake
def _(
    g_spikes: Tensor | None,
    g_after: Tensor | None,
    x: Tensor,
    voltage: Tensor | None,
    leak: Tensor | None,
    *_: object,
) -> tuple[Tensor, Tensor, Tensor]:
    inputs = time_major(x)
    before = torch.empty_like(inputs[0], dtype=state_dtype(x))
    return (
        torch.empty_like(inputs),
        x.new_empty(0) if voltage is None else before,
        x.new_empty(0) if leak is None else x.new_empty((), dtype=torch.float64),
    )


def _differentiate(
    backward: Any, ctx: Any, g_spikes: Tensor | None, g_after: Tensor | None
) -> tuple[Tensor | None, ...]:
    x, voltage, leak = ctx.saved_tensors
    if g_spikes is None and g_after is None:
        return None, None, None
    g_x, g_before, g_leak = backward(g_spikes, g_after, x, voltage, leak, ctx.settings)
    return (
        g_x,
        None if voltage is None else g_before.to(voltage.dtype),
        None if leak is None else g_leak.to(leak.dtype),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, voltage, leak, *settings = inputs
    ctx.save_for_backward(x, voltage, leak)
    ctx.settings = settings
    ctx.set_materialize_grads(False)


def _differentiate_operator(
    ctx: Any, g_spikes: Tensor | None, g_after: Tensor | None
) -> tuple[Tensor | None, ...]:
    def through_dispatcher(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
        *tensors, settings = args
        return lif_backward(*tensors, *settings)

    return (*_differentiate(through_dispatcher, ctx, g_spikes, g_after), *(None,) * 8)


lif_operator.register_autograd(_differentiate_operator, setup_context=_save)
