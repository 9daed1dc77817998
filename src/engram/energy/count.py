"""Counts of executed operations per layer and sample, with multiplications and additions apart."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from engram.carried import Memory, repeatable, reset_memories
from engram.device import evaluating
from engram.energy.operation import Activation, Operation
from engram.energy.tracer import Tracer
from engram.errors import EngramError
from engram.layout import (
    Layout,
    check_axis,
    customary_axis,
    moved,
    samples_along,
    stated_axis,
    tensors_in,
)


@final
@dataclass(frozen=True)
class Count:
    """The operations of a network on some samples.

    Attributes:
        operations: Every sum of products, in the order of the first run.
        activations: The outputs of each layer of neurons, in the same order.
        samples: Number of samples.
        steps: T, the number of time steps per sample.
        parameters: Number of parameters.
        footprint: Bytes of the parameters and buffers, excluding buffers that hold state.
        unseen: Possibly uncounted multiplications: operators that are neither counted nor known to
            sum no products, and methods that pass values to untraced code.
        batch_axis: Axis along which the samples were counted; None if there is none.
        carried: Modules that read state left by an earlier batch, so that the counts depend on the
            order of the batches.
    """

    operations: tuple[Operation, ...]
    activations: tuple[Activation, ...]
    samples: int
    steps: int
    parameters: int
    footprint: int
    unseen: tuple[str, ...]
    batch_axis: int | None = 0
    carried: tuple[str, ...] = ()

    @property
    def synaptic(self) -> tuple[Operation, ...]:
        """The operations between neurons, excluding their dynamics and products of weights only."""
        return tuple(one for one in self.operations if not (one.within or one.prepared))

    @property
    def dynamics(self) -> tuple[Operation, ...]:
        """The operations within neurons, such as the matrix of a parallel neuron."""
        return tuple(one for one in self.operations if one.within and not one.prepared)

    @property
    def macs(self) -> float:
        """Effective multiply-accumulate operations per sample."""
        return sum(one.effective for one in self.synaptic if one.gate is None) / self.samples

    @property
    def acs(self) -> float:
        """Effective accumulations per sample: products with a binary operand."""
        return sum(one.effective for one in self.synaptic if one.gate is not None) / self.samples

    @property
    def dense(self) -> float:
        """Products per sample if no value were 0, excluding the padding."""
        return sum(one.dense for one in self.synaptic) / self.samples

    @property
    def nominal(self) -> float:
        """Products per sample by the papers' formula, including the padding."""
        return sum(one.nominal for one in self.synaptic) / self.samples

    @property
    def membrane_updates(self) -> float:
        """Output values of neurons per sample: one per neuron per step."""
        return sum(layer.elements for layer in self.activations) / self.samples

    @property
    def activation_sparsity(self) -> float | None:
        """The share of zeros in the outputs of the neurons; None if there are no neurons."""
        elements = sum(layer.elements for layer in self.activations)
        spikes = sum(layer.nonzero for layer in self.activations)
        return 1 - spikes / elements if elements else None

    @property
    def connection_sparsity(self) -> float:
        """The share of zeros in the weights that were used."""
        weights = [side for one in self.synaptic for side in one.operands if side.weight]
        elements = sum(side.size for side in weights)
        return 1 - sum(side.rate * side.size for side in weights) / elements if elements else 0.0

    def neurobench(self) -> dict[str, float | None]:
        """The same quantities under NeuroBench's names, including attention, which it omits.

        References:
            Yik et al., "The NeuroBench framework", Nature Communications 2025, arXiv 2304.04640.
        """
        return {
            "Effective_MACs": self.macs,
            "Effective_ACs": self.acs,
            "Dense": self.dense,
            "ActivationSparsity": self.activation_sparsity,
            "ConnectionSparsity": self.connection_sparsity,
            "Footprint": self.footprint,
            "ParameterCount": self.parameters,
        }


def count(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    neurons: type[nn.Module] | Sequence[type[nn.Module]] = (),
    steps: int | None = None,
    batch_axis: int | None = None,
    layout: Layout | None = None,
) -> Count:
    """Run a network in evaluation mode and count its operations.

    The samples are along the axis that `layout` or `batch_axis` states; when both are None, along
    axis 1 of frames `(time, batch, channels, height, width)`, else along axis 0. The last sample
    of the first batch is run alone to check that. Modules with state in SpikingJelly's protocol
    are reset before each batch.

    Args:
        model: The network.
        batches: The inputs of the model, one per call.
        neurons: Classes of modules that are neurons; their operations are not synaptic.
        steps: T, the number of time steps per sample; None uses the network's `steps`, or 1.
        batch_axis: Axis of the samples.
        layout: Meaning of the axes of a batch: "time-first" is `(time, batch, …)`, "batch-first"
            is `(batch, …)` optionally followed by time, "static" is `(batch, …)` without time,
            "single" is one sample without a batch axis.

    Raises:
        ValueError: There is no batch, one holds NaN or infinity, its samples are not along the
            axis, an argument is of a wrong kind, or an operation of the network multiplies
            unobserved.
        UserWarning: As a warning, if a module reads state left by an earlier batch.
    """
    if steps is not None and not (isinstance(steps, Integral) and steps >= 1):
        raise EngramError(f"steps={steps!r}: give the number of time steps per sample, at least 1")
    kinds, stated = neuron_classes(neurons), stated_axis(layout, batch_axis)
    with uncompiled(model) as network:
        return count_runs(network, batches, kinds, steps, stated)


def neuron_classes(neurons: Any) -> tuple[type[nn.Module], ...]:
    """The classes of modules that a caller states to be neurons.

    Raises:
        ValueError: One of them is not a class of modules.
    """
    kinds = tuple(neurons) if isinstance(neurons, list | tuple | set | frozenset) else (neurons,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise EngramError(
                f"neurons={neurons!r}: give classes of modules, such as (engram.neuron.Neuron,)"
            )
    return kinds


@contextmanager
def uncompiled(model: nn.Module) -> Iterator[nn.Module]:
    """Context that yields the network inside a compiled one, and in which nothing is compiled.

    A compiled graph would hide its operators, and would be made anew for what observes it.
    """
    with torch.compiler.set_stance("force_eager"):
        yield getattr(model, "_orig_mod", model)


def count_runs(
    model: nn.Module,
    batches: Iterable[Any],
    neurons: tuple[type[nn.Module], ...],
    steps: int | None,
    stated: tuple[int | None, bool],
    *,
    checked: bool = False,
) -> Count:
    """`count` with a stated sample axis, if any; `checked` says that the caller checks it."""
    tracer = Tracer(model, neurons)
    samples, axis = 0, stated[0]
    before = dict(model.named_buffers())
    with evaluating(model) as device:
        for number, batch in enumerate(batches, start=1):
            check_finite(batch, f"batch {number}")
            axis = stated[0] if stated[1] else customary_axis(batch)
            samples += samples_along(batch, axis)
            reset_memories(model)
            start = Memory(model)
            inputs = tracer.feed(moved(batch, device))
            with tracer.tracing():
                outputs = tensors_in(model(inputs))
            tracer.gives(outputs)
            if number == 1 and axis is not None and not checked:
                spiking = has_neurons(model, neurons)
                with repeatable(model, start) as call:
                    check_axis(call, inputs, axis, stated=stated[1], whole=outputs, spiking=spiking)
    if not samples:
        raise EngramError("there is no batch to run the model on; give at least one")
    return Count(
        tuple(tracer.operations.values()),
        tuple(tracer.activations.values()),
        samples,
        getattr(model, "steps", 1) if steps is None else steps,
        sum(weight.numel() for weight in model.parameters()),
        footprint(model, before, tracer),
        tuple(sorted(tracer.unseen)),
        axis,
        carried_by(tracer),
    )


def has_neurons(model: nn.Module, neurons: tuple[type[nn.Module], ...]) -> bool:
    """Whether a network has modules of these classes."""
    return any(isinstance(module, neurons) for module in model.modules())


def footprint(model: nn.Module, before: Mapping[str, Tensor], tracer: Tracer) -> int:
    """Bytes of the parameters and of the original buffers, excluding those that hold state."""
    state = {name for name, buffer in model.named_buffers() if tracer.depends(buffer)}
    held = [*model.parameters(), *(x for name, x in before.items() if name not in state)]
    return sum(x.numel() * x.element_size() for x in held)


def carried_by(tracer: Tracer) -> tuple[str, ...]:
    """The modules that read state left by an earlier batch, with a warning if there are any."""
    carried = tuple(sorted(tracer.carried))
    if carried:
        warnings.warn(
            f"{', '.join(carried)} read state left by an earlier batch, so that the counts depend "
            f"on the order of the batches; reset the state of the network at each call",
            stacklevel=3,
        )
    return carried


def check_finite(batch: Any, name: str) -> None:
    """Raise ValueError if a batch holds NaN or infinity."""
    for x in tree_leaves(batch):
        if isinstance(x, Tensor) and not x.isfinite().all():
            bad = int((~x.isfinite()).sum())
            raise EngramError(
                f"{name} holds {bad} values that are NaN or infinite among {x.numel()}; drop or "
                f"fill them first"
            )
