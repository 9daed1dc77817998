"""The context of a stream: transforms and the owner of its `with` block."""

import contextlib
import inspect
import sys
from types import FrameType
from typing import Any, NamedTuple

import torch

from engram.errors import EngramError

_C: Any = torch._C
_forward_mode_enabled = _C._is_fwd_grad_enabled
_saved_tensors_hooks = _C._autograd._top_saved_tensors_default_hooks
_transform_level = _C._functorch.maybe_current_level
_tracing_state = _C._get_tracing_state

_CONTEXTLIB = contextlib.contextmanager.__code__.co_filename
_SUSPENDS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Situation(NamedTuple):
    """Transforms of the computation around a call.

    Attributes:
        in_function: Whether the forward of an `autograd.Function` runs.
        checkpoint: The activation checkpoint that will compute the call again; None for none.
        level: How deep the transforms of `torch.func` are nested; None for none.
        traced: Whether `torch.jit` traces it.
    """

    in_function: bool
    checkpoint: object
    level: int | None
    traced: bool


def situation() -> Situation:
    """What transforms the computation now."""
    hooks = _saved_tensors_hooks(True)
    return Situation(
        not (_forward_mode_enabled() or torch.is_inference_mode_enabled()),
        hooks[0] if hooks and hooks[0].__module__ == "torch.utils.checkpoint" else None,
        _transform_level(),
        _tracing_state() is not None,
    )


def usual() -> bool:
    """Whether nothing transforms the computation now, at a fraction of the cost of `situation`."""
    return (
        _forward_mode_enabled()
        and _saved_tensors_hooks(True) is None
        and _transform_level() is None
        and _tracing_state() is None
    )


def check_situation(opened: Situation) -> None:
    """Raises ValueError where a state of this call could not be carried on.

    Args:
        opened: The situation in which the stream was opened.
    """
    now = situation()
    if now == opened:
        return
    if now.in_function != opened.in_function or (
        now.checkpoint is not opened.checkpoint and torch.is_grad_enabled()
    ):
        raise EngramError(
            "a layer that carries state is called under activation checkpointing, or from the "
            "forward of an autograd.Function, inside stream(): the recomputation would start from "
            "another state and give wrong gradients; open stream() inside the function that is "
            "checkpointed, or checkpoint only layers without state"
        )
    if now.level != opened.level:
        raise EngramError(
            "a layer that carries state is called under torch.func (vmap, grad, jvp …) inside "
            "stream(): its state would not survive the transform; open stream() inside the "
            "function that is transformed, or use layer.run(x, state)"
        )
    if now.traced != opened.traced:
        raise EngramError(
            "a layer that carries state is traced by torch.jit inside stream(), which would freeze "
            "the state of this moment: trace outside, or trace a module that calls "
            "layer.run(x, state)"
        )


def suspendable_frame() -> FrameType | None:
    """The frame of the `with` statement that is being entered, if it can be suspended.

    Only those of generators and coroutines can. The bodies of context managers are generators,
    too, but stand for the `with` statement that enters them.
    """
    frame: FrameType | None = sys._getframe(2)  # the body of `stream`, which makes the Stream
    while frame is not None:
        caller = frame.f_back
        entered = caller is not None and caller.f_code.co_filename == _CONTEXTLIB
        if frame.f_code.co_filename != _CONTEXTLIB and not (
            entered and frame.f_code.co_flags & _SUSPENDS
        ):
            break
        frame = caller
    return frame if frame is not None and frame.f_code.co_flags & _SUSPENDS else None
