"""Gradient checkpointing: activations that the backward pass computes again instead of keeping."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Literal, Protocol, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.checkpoint import checkpoint

from engram.errors import EngramError

Recompute = Literal["nothing", "stages", "time"]
POINTWISE = (nn.Linear, nn.LayerNorm, nn.Identity, nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh)
"""Layers of torch that treat each step of `(time, batch, features)` alone."""

_again: ContextVar[bool] = ContextVar("again", default=False)


@runtime_checkable
class Resumable(Protocol):
    """A layer along time that can continue from a state, as those of `engram.neuron` do."""

    @property
    def causal(self) -> bool:
        """Whether a step depends on no later input."""
        ...

    def run(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Process a sequence that follows `state`; return the output and the final state."""
        ...


def computing_again() -> bool:
    """Whether this is a second forward pass, which a hook that counts or records must pass over."""
    return _again.get()


@contextmanager
def recomputed(model: nn.Module, how: Recompute, chunks: int = 4) -> Iterator[None]:
    """Context manager in which the backward pass computes activations again.

    With "stages", only the inputs of the stages are kept: each is computed again as a whole, with
    the same random numbers and without a second update of its buffers, so that gradients and
    batch-norm statistics are bit for bit those of the plain run. With "time", only the inputs of
    the stages and the states of their neurons between chunks of the steps are kept; the gradients
    are equal up to rounding, because those of the chunks are added.

    Args:
        model: A model with a method `stages`, which returns the modules that it calls one after
            another, or an `nn.Sequential`; with "time" the stages, or this model, are themselves an
            `nn.Sequential` of layers along time.
        how: What is computed again.
        chunks: Number of parts into which "time" divides the steps.

    Raises:
        ValueError: If the model does not say what its stages are, or a layer needs all steps at
            once; it is named.
    """
    if chunks < 1:
        raise EngramError(f"time_chunks={chunks}: divide the steps into at least 1 part")
    stages = [] if how == "nothing" else _stages(model, how)
    if how == "time":
        names = {module: name for name, module in model.named_modules()}
        for stage in stages:
            _check_divisible(stage, names[stage])
    for stage in stages:
        again = _InChunks(stage, chunks) if how == "time" else _AsAWhole(stage)
        stage.__dict__["forward"] = again
    try:
        yield
    finally:
        for stage in stages:
            stage.__dict__.pop("forward", None)  # a stage may be used twice


def in_chunks(layers: Sequence[nn.Module], x: Tensor, chunks: int) -> Tensor:
    """Apply layers along time to a sequence, chunk by chunk, with states kept between chunks.

    Args:
        layers: Layers that are `Resumable` or treat each step alone.
        x: The sequence, `(time, batch, *features)`.
        chunks: Number of parts into which the steps are divided.

    References:
        Chen et al., "Training deep nets with sublinear memory cost", arXiv 1604.06174.
    """
    states: list[Any] = [None] * len(layers)
    outputs = []
    for part in x.tensor_split(min(chunks, len(x))):
        y, states = checkpoint(_chunk, layers, part, states, use_reentrant=False)
        outputs.append(y)
    return torch.cat(outputs)


def _chunk(layers: Sequence[nn.Module], x: Tensor, states: list[Any]) -> tuple[Tensor, list[Any]]:
    """The output of a chunk, and the states after it."""
    after = []
    for layer, state in zip(layers, states, strict=True):
        if isinstance(layer, Resumable):
            x, state = layer.run(x, state)  # noqa: PLW2901
        else:
            x = layer(x)
        after.append(state)
    return x, after


@final
class _AsAWhole:
    """The forward pass of a module that is computed again as a whole; copies of it are sound."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        forward = partial(type(self.module).forward, self.module)
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        contexts = partial(_contexts, self.module)
        return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)


@final
class _InChunks:
    """The forward pass of a sequence of layers along time, in chunks."""

    def __init__(self, module: nn.Module, chunks: int) -> None:
        self.module, self.chunks = module, chunks

    def __call__(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return type(self.module).forward(self.module, x)
        layers = dict(_flat(self.module, ""))
        for name, layer in layers.items():
            if isinstance(layer, Resumable) and layer._forward_hooks:  # pyright: ignore[reportAttributeAccessIssue]
                raise EngramError(
                    f"recompute='time' does not call the hooks of {name}: choose recompute='stages'"
                )
        return in_chunks(list(layers.values()), x, self.chunks)


def _contexts(
    module: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """The contexts of the first and the second forward pass."""
    before = _Surroundings(module)
    return before.noted(), before.restored()


@final
class _Surroundings:
    """The buffers and generators that a forward pass reads and changes, apart from torch's."""

    def __init__(self, module: nn.Module) -> None:
        self.holders = [m for m in module.modules() if m._buffers]

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note everything as it is before the first pass."""
        self.buffers = [
            {name: value if value is None else value.clone() for name, value in m._buffers.items()}
            for m in self.holders
        ]
        self.drawn = random.getstate(), np.random.get_state()  # noqa: NPY002  a model may use it
        yield

    @contextmanager
    def restored(self) -> Iterator[None]:
        """The second pass reads what the first one did, and changes nothing."""
        now = random.getstate(), np.random.get_state()  # noqa: NPY002
        held = [dict(m._buffers) for m in self.holders]
        token = _again.set(True)
        self._put(self.buffers, self.drawn)
        try:
            yield
        finally:
            _again.reset(token)
            self._put(held, now)

    def _put(self, buffers: list[dict[str, Tensor | None]], drawn: tuple[Any, Any]) -> None:
        for module, kept in zip(self.holders, buffers, strict=True):
            module._buffers.update(kept)
        random.setstate(drawn[0])
        np.random.set_state(drawn[1])  # noqa: NPY002


def _stages(model: nn.Module, how: Recompute) -> list[nn.Module]:
    """The modules that are computed again."""
    named: Callable[[], Sequence[nn.Module]] | None = getattr(model, "stages", None)  # pyright: ignore[reportAssignmentType]
    if named is not None:
        return list(named())
    if isinstance(model, nn.Sequential):
        return [model] if how == "time" else list(model)
    raise EngramError(
        f"recompute={how!r}: {type(model).__name__} does not say what its stages are: give it a "
        "method stages() that returns the modules that it calls one after another"
    )


def _flat(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    """The layers of nested sequences in order, by name."""
    if not isinstance(module, nn.Sequential):
        yield name, module
        return
    for own, child in module.named_children():
        yield from _flat(child, f"{name}.{own}" if name else own)


def _check_divisible(stage: nn.Module, prefix: str) -> None:
    """Raise ValueError if a layer of a stage cannot be computed chunk by chunk."""
    for name, module in stage.named_modules(prefix=prefix):
        if isinstance(module, _BatchNorm):
            _refuse(name, module, "normalises by the statistics of all steps")
        if isinstance(module, _DropoutNd):
            _refuse(name, module, "would draw other numbers than for all steps at once")
    for name, layer in _flat(stage, prefix):
        if isinstance(layer, Resumable):
            if not layer.causal:
                _refuse(name, layer, "reads later steps")
        elif not isinstance(layer, POINTWISE):
            _refuse(name, layer, "may mix steps; if it knows no time, wrap it in OverTime")


def _refuse(name: str, module: Any, reason: str) -> None:
    raise EngramError(
        f"recompute='time' computes chunks of steps, and {type(module).__name__} at "
        f"{name or 'the top'!r} {reason}: choose recompute='stages', which keeps the inputs of "
        "stages and computes each again with all of its steps"
    )
