"""When a kernel may run as it is: nobody watches the call, and nothing differentiates it again."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from engram.errors import EngramError
from engram.kernel.transform import transformed

_C: Any = torch._C
_dispatch_depth = _C._len_torch_dispatch_stack
_tracing_state = _C._get_tracing_state
_PLAIN = (Tensor, torch.nn.Parameter)


def unwatched(*tensors: Tensor | None) -> bool:
    """Whether nothing compiles, exports, traces or transforms a call with these tensors.

    The dispatcher takes 30 to 200 µs for an operator written in Python, more than a small layer's
    work; where nobody looks, the same code is called directly.
    """
    for tensor in tensors:
        if tensor is not None and type(tensor) not in _PLAIN:
            return False
    return (
        not torch.compiler.is_compiling()
        and _dispatch_depth() == 0
        and _tracing_state() is None
        and not transformed()
    )


def differentiates_again(*grads: Tensor | None) -> bool:
    """Whether a backward must itself be differentiable, or run for a batch of gradients at once.

    Args:
        grads: The gradients that the backward got.
    """
    return torch.is_grad_enabled() or transformed() or any(map(_is_batched, grads))


def _is_batched(grad: Tensor | None) -> bool:
    functorch = _C._functorch
    return grad is not None and (
        functorch.is_batchedtensor(grad) or functorch.is_legacy_batchedtensor(grad)
    )


def differentiate(
    function: Callable[..., tuple[Tensor, ...]],
    inputs: Sequence[Tensor | None],
    needed: Sequence[bool],
    grads: Sequence[Tensor | None],
) -> tuple[Tensor | None, ...]:
    """Gradients of the inputs of a function in plain torch, themselves differentiable.

    Args:
        function: Takes the inputs and returns as many tensors as there are gradients.
        inputs: Its inputs; None for those that are absent.
        needed: Which of them need a gradient.
        grads: The gradients of what it returns; None for zero.

    Returns:
        A gradient, or None, for each input.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # one tensor may stand in two places: each place gets a gradient of its own
        own = [None if tensor is None else tensor.view_as(tensor) for tensor in inputs]
        outputs = function(*own)
    wanted = [i for i, need in enumerate(needed) if need]
    known = [(y, g) for y, g in zip(outputs, grads, strict=True) if g is not None]
    found: list[Tensor | None] = [None] * len(inputs)
    if wanted and known:
        got = torch.autograd.grad(
            [y for y, _ in known],
            [x for i, x in enumerate(own) if x is not None and i in wanted],
            [g for _, g in known],
            create_graph=again,
            allow_unused=True,
        )
        for i, g in zip(wanted, got, strict=True):
            found[i] = g
    return tuple(found)


def refuse_tangents(operator: str) -> None:
    """Raises EngramError in an operator that forward-mode differentiation calls.

    torch would run it on the values alone, as if it were constant.
    """
    if forward_ad._current_level >= 0:
        raise EngramError(
            f"{operator} has no derivative in forward mode: call the neuron itself in its place, "
            "or, where torch.compile put the operator, do both inside engram.neuron.reference()"
        )
