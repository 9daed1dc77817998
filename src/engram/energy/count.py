"""Operations that ran become counts: a layer, a sample, multiplications apart from additions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from engram.energy.operation import Activation, Operation
from engram.energy.trace import Tracer
from engram.record import evaluating


@final
@dataclass(frozen=True)
class Count:
    """What a network computed on some samples.

    Attributes:
        operations: Every sum of products, in the order of the first run.
        activations: What each layer of neurons put out, in that order too.
        samples: Number of samples.
        steps: T: how often the network saw each of them.
        parameters: Number of parameters.
        footprint: Bytes of the parameters and buffers.
        unseen: Operators that come from elsewhere and may sum products out of sight.
    """

    operations: tuple[Operation, ...]
    activations: tuple[Activation, ...]
    samples: int
    steps: int
    parameters: int
    footprint: int
    unseen: tuple[str, ...]

    @property
    def synaptic(self) -> tuple[Operation, ...]:
        """The operations between neurons: not their dynamics, nor products of weights alone."""
        return tuple(one for one in self.operations if not (one.within or one.prepared))

    @property
    def dynamics(self) -> tuple[Operation, ...]:
        """The operations within neurons, such as the matrix of a parallel neuron."""
        return tuple(one for one in self.operations if one.within and not one.prepared)

    @property
    def macs(self) -> float:
        """Effective multiplications with accumulation, a sample."""
        return sum(one.effective for one in self.synaptic if one.gate is None) / self.samples

    @property
    def acs(self) -> float:
        """Effective accumulations, a sample: products with a binary operand."""
        return sum(one.effective for one in self.synaptic if one.gate is not None) / self.samples

    @property
    def dense(self) -> float:
        """Products that a sample would take if nothing were 0; none with the padding."""
        return sum(one.dense for one in self.synaptic) / self.samples

    @property
    def nominal(self) -> float:
        """Products by the formula of papers, a sample: those with the padding as well."""
        return sum(one.nominal for one in self.synaptic) / self.samples

    @property
    def membrane_updates(self) -> float:
        """Values that neurons put out, a sample: one for each neuron and step."""
        return sum(layer.elements for layer in self.activations) / self.samples

    @property
    def activation_sparsity(self) -> float | None:
        """The share of zeros in what the neurons put out; None where there is no neuron."""
        elements = sum(layer.elements for layer in self.activations)
        spikes = sum(layer.nonzero for layer in self.activations)
        return 1 - spikes / elements if elements else None

    @property
    def connection_sparsity(self) -> float:
        """The share of zeros in the weights that ran."""
        weights = [side for one in self.synaptic for side in one.operands if side.weight]
        elements = sum(side.size for side in weights)
        return 1 - sum(side.rate * side.size for side in weights) / elements if elements else 0.0

    def neurobench(self) -> dict[str, float | None]:
        """The same under the names of NeuroBench, attention included, which it cannot see.

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
    neurons: tuple[type[nn.Module], ...] = (),
    steps: int | None = None,
    batch_axis: int | None = None,
) -> Count:
    """Run a network in evaluation mode and count what it computes.

    Args:
        model: The network.
        batches: What the model takes, call by call; each has `.to(device)`, as a tensor does.
        neurons: Classes of modules that are neurons; what they run is no synaptic operation.
        steps: T, how often the network sees a sample; its own `steps`, or 1, when None.
        batch_axis: Axis of the samples; when None, 1 for frames `(time, batch, channels, height,
            width)`, else 0.

    Raises:
        ValueError: There is no batch, one holds NaN or infinity, or an operation of the network
            multiplies out of sight.
    """
    tracer = Tracer(model, neurons)
    samples = 0
    with evaluating(model) as device:
        for number, batch in enumerate(batches, start=1):
            check_finite(batch, f"batch {number}")
            samples += samples_in(batch, batch_axis)
            inputs = tracer.feed(batch.to(device))
            with tracer.tracing():
                model(inputs)
    if not samples:
        raise ValueError("there is no batch to run the model on: give at least one")
    held = [*model.parameters(), *model.buffers()]
    return Count(
        tuple(tracer.operations.values()),
        tuple(tracer.activations.values()),
        samples,
        getattr(model, "steps", 1) if steps is None else steps,
        sum(weight.numel() for weight in model.parameters()),
        sum(x.numel() * x.element_size() for x in held),
        tuple(sorted(tracer.unseen)),
    )


def samples_in(batch: Any, axis: int | None = None) -> int:
    """How many samples a batch has, as `count` finds them."""
    return first_tensor(batch).shape[sample_axis(batch, axis)]


def sample_axis(batch: Any, axis: int | None = None) -> int:
    """The axis of the samples: 1 for frames, else 0, where it is not given."""
    if axis is not None:
        return axis
    return 1 if first_tensor(batch).ndim == 5 else 0


def first_tensor(batch: Any) -> Tensor:
    """The first tensor of a batch.

    Raises:
        ValueError: It holds none.
    """
    for x in tree_leaves(batch):
        if isinstance(x, Tensor):
            return x
    raise ValueError(f"a batch is a {type(batch).__name__} without a tensor: give tensors")


def check_finite(batch: Any, name: str) -> None:
    """Raises ValueError where a batch holds NaN or infinity."""
    for x in tree_leaves(batch):
        if isinstance(x, Tensor) and not x.isfinite().all():
            bad = int((~x.isfinite()).sum())
            raise ValueError(
                f"{name} holds {bad} values that are NaN or infinite among {x.numel()}: "
                "drop or fill them first"
            )
