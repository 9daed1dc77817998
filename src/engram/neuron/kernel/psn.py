"""The parallel family as one operator, `engram::psn`: dense, banded or sliding by its weight."""

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
from engram.neuron.functional import state_dtype
from engram.neuron.kernel.psn_launch import (
    Settings,
    backward,
    check,
    check_gradients,
    forward,
    frame,
    keeps,
    matrix,
    reference,
)
from engram.neuron.kernel.shape import check_shape, shape_of
from engram.neuron.surrogate import Surrogate

OPERATOR = "engram::psn"
"""Its name at the dispatcher."""


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
        return forward(x, weight, threshold, settings)[0]
    if not transformed():
        return psn_operator(x, weight, threshold, *settings)[0]
    check(x, weight, threshold, settings)
    return functional.psn(x, matrix(x, weight, settings), threshold, surrogate)


class _Eager(torch.autograd.Function):
    """The operator without the dispatcher."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, threshold: Tensor, settings: Settings
    ) -> Tensor:
        spikes, kept = forward(x, weight, threshold, settings)
        ctx.save_for_backward(x, weight, threshold, kept)
        ctx.settings = settings
        return spikes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, threshold, kept = ctx.saved_tensors
        if differentiates_again(*grads):
            again = partial(reference, ctx.settings)
            needed = ctx.needs_input_grad[:3]
            return (*differentiate(again, (x, weight, threshold), needed, grads), None)
        return (*backward(grads[0], x, weight, threshold, kept, ctx.settings), None)


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
    return forward(x, weight, threshold, Settings(steps, k, shape, scale, width, save))


@psn_operator.register_kernel("cuda")
def _(x: Tensor, weight: Tensor, threshold: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
    from engram.neuron.kernel import psn_gpu

    refuse_tangents(OPERATOR)
    check(x, weight, threshold, Settings(*settings))
    keep = keeps(x, Settings(*settings))
    numbers: Any = (*settings[:-1], keep)
    return psn_gpu.psn_forward(x, weight, threshold, *numbers)


@psn_operator.register_fake
def _(x: Tensor, weight: Tensor, threshold: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
    options = Settings(*settings)
    spikes = torch.empty_like(frame(time_major(x), options.steps))
    kept = torch.empty_like(spikes, dtype=state_dtype(x))
    return spikes, kept if keeps(x, options) else kept.new_empty(0)


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
    return backward(g_spikes, x, weight, threshold, kept, settings)


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
        again, needed = partial(reference, settings), ctx.needs_input_grad[:3]
        grads = differentiate(again, (x, weight, threshold), needed, (g_spikes,))
    else:
        grads = psn_backward(g_spikes, x, weight, threshold, kept, *settings)
    return (*grads, *(None,) * 6)


psn_operator.register_autograd(_differentiate, setup_context=_save)
