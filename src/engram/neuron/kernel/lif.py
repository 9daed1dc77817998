"""The LIF family as one operator, `engram::lif`: autograd, compilation and export see one node."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from engram.kernel.eager import (
    differentiate,
    differentiates_again,
    refuse_tangents,
    transformed,
    unwatched,
)
from engram.kernel.memory import time_major
from engram.neuron import functional
from engram.neuron.functional import LIFState, state_dtype
from engram.neuron.kernel.lif_launch import (
    Settings,
    backward,
    check,
    check_gradients,
    check_settings,
    forward,
    reference,
)
from engram.neuron.kernel.shape import shape_of
from engram.neuron.surrogate import Surrogate

OPERATOR = "engram::lif"
"""Its name at the dispatcher."""


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
    single_step: bool = False,
) -> tuple[Tensor, LIFState]:
    """`functional.lif`, compiled; within transforms of torch.func it is `functional.lif`.

    With `single_step`, x is one step `(*neurons)`, and so are the spikes.
    """
    voltage = None if state is None else state.voltage
    settings = Settings(tau, threshold, reset, decay_input, detach_reset, *shape_of(surrogate))
    plain = x.is_cpu and unwatched(x, voltage, leak)
    if plain and not torch.is_grad_enabled():
        spikes, after = forward(x, voltage, leak, settings, single_step=single_step)
        return spikes, LIFState(after)
    if single_step:
        x = x.unsqueeze(0)
    if plain:
        spikes, after = _Eager.apply(x, voltage, leak, settings)  # pyright: ignore[reportGeneralTypeIssues]
    elif not transformed():
        spikes, after = lif_operator(x, voltage, leak, *settings)
    else:
        spikes, (after,) = functional.lif(
            x,
            state,
            tau=tau,
            leak=leak,
            threshold=threshold,
            reset=reset,
            decay_input=decay_input,
            detach_reset=detach_reset,
            surrogate=surrogate,
        )
    return spikes.squeeze(0) if single_step else spikes, LIFState(after)


class _Eager(torch.autograd.Function):
    """The operator without the dispatcher."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, voltage: Tensor | None, leak: Tensor | None, settings: Settings
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, voltage, leak)
        ctx.settings = settings
        ctx.set_materialize_grads(False)
        return forward(x, voltage, leak, settings)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        return (*_differentiate(backward, ctx, *grads), None)


@torch.library.custom_op(OPERATOR, mutates_args=(), device_types="cpu")
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
    refuse_tangents(OPERATOR)
    settings = Settings(tau, threshold, reset, decay_input, detach_reset, shape, scale, width)
    return forward(x, voltage, leak, settings)


@lif_operator.register_kernel("cuda")
def _(*args: Any) -> tuple[Tensor, Tensor]:
    from engram.neuron.kernel import lif_gpu

    refuse_tangents(OPERATOR)
    check(*args[:3])
    check_settings(state_dtype(args[0]), args[2] is not None, Settings(*args[3:]))
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
    check(x, voltage, leak)
    check_gradients(x, g_spikes, g_after)
    g_x, g_before, g_leak = backward(g_spikes, g_after, x, voltage, leak, settings)
    return (
        g_x,
        x.new_empty(0) if g_before is None else g_before,
        x.new_empty(0) if g_leak is None else g_leak,
    )


@lif_backward.register_kernel("cuda")
def _(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
    from engram.neuron.kernel import lif_gpu

    g_spikes, g_after, x, voltage, leak, *settings = args
    check(x, voltage, leak)
    check_gradients(x, g_spikes, g_after)
    check_settings(state_dtype(x), leak is not None, Settings(*settings))
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
    once: Any, ctx: Any, g_spikes: Tensor | None, g_after: Tensor | None
) -> tuple[Tensor | None, ...]:
    x, voltage, leak = ctx.saved_tensors
    if g_spikes is None and g_after is None:
        return None, None, None
    if differentiates_again(g_spikes, g_after):
        again = partial(reference, ctx.settings)
        needed = ctx.needs_input_grad[:3]
        return differentiate(again, (x, voltage, leak), needed, (g_spikes, g_after))
    g_x, g_before, g_leak = once(g_spikes, g_after, x, voltage, leak, ctx.settings)
    return (
        g_x,
        None if voltage is None else g_before.to(voltage.dtype),
        None if leak is None else g_leak.to(leak.dtype),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, voltage, leak, *settings = inputs
    ctx.save_for_backward(x, voltage, leak)
    ctx.settings = Settings(*settings)
    ctx.set_materialize_grads(False)


def _differentiate_operator(
    ctx: Any, g_spikes: Tensor | None, g_after: Tensor | None
) -> tuple[Tensor | None, ...]:
    def through_dispatcher(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
        *tensors, settings = args
        return lif_backward(*tensors, *settings)

    return (*_differentiate(through_dispatcher, ctx, g_spikes, g_after), *(None,) * 8)


lif_operator.register_autograd(_differentiate_operator, setup_context=_save)
