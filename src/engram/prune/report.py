"""What pruning does: per layer on some inputs, and along a training."""

import copy
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

from engram.energy import FP32, Arithmetic, count, operation_j
from engram.errors import EngramError
from engram.prune.pruning import Pruning
from engram.prune.selection import choose
from engram.prune.threshold import bake
from engram.series import Series


class LayerReport(NamedTuple):
    """A layer of a pruned model.

    Attributes:
        name: The weight.
        weights: Number of its weights.
        zeros: How many of them are zero.
        operations: Synaptic operations per sample: products of a weight and an input of which
            neither is zero.
        energy_j: Energy of the operations, in joules per sample.
    """

    name: str
    weights: int
    zeros: int
    operations: float
    energy_j: float

    @property
    def sparsity(self) -> float:
        """The share of weights that are zero."""
        return self.zeros / self.weights

    @property
    def dead(self) -> bool:
        """Whether all weights are zero, so that nothing passes the layer."""
        return self.zeros == self.weights


def survey(
    model: nn.Module, batches: Iterable[Any], arithmetic: Arithmetic = FP32
) -> tuple[LayerReport, ...]:
    """Report on each linear and convolution layer of a model; pruned weights are not counted.

    Args:
        model: A model, pruned or not; it is not changed.
        batches: Inputs, one per call.
        arithmetic: Energy per operation.

    Returns:
        A report for each layer, in the order of the model.

    Raises:
        EngramError: If the model has no linear and no convolution layer.
    """
    inputs = list(batches)
    model = bake(copy.deepcopy(model)).eval()
    chosen = choose(model)
    found = count(model, inputs)
    reports = []
    for name, (module, tensor) in chosen.items():
        weight: Tensor = getattr(module, tensor).detach()
        path = name.rpartition(".")[0]
        own = [one for one in found.synaptic if one.path == path]
        reads = sum(one.effective for one in own) / found.samples
        energy = sum(operation_j(one, arithmetic) for one in own) / found.samples
        zeros = int((weight == 0).sum())
        reports.append(LayerReport(name, weight.numel(), zeros, reads, energy))
    return tuple(reports)


def layer_series(reports: Iterable[LayerReport]) -> tuple[Series, ...]:
    """The sparsity, the operations and the energy of layers as series over their names.

    Args:
        reports: From `survey`.
    """
    found = tuple(reports)
    names = [one.name for one in found]
    columns = {
        "sparsity": ([one.sparsity for one in found], ""),
        "synaptic operations": ([one.operations for one in found], "operations per sample"),
        "energy": ([one.energy_j for one in found], "J per sample"),
    }
    return tuple(
        Series(name, names, values, axis="layer", unit=unit)
        for name, (values, unit) in columns.items()
    )


@final
class History:
    """Records a pruning along a training; a `StepHook` that is called after the pruning's.

    Args:
        pruning: The pruning.
        every: Number of optimizer steps between two records.

    Raises:
        EngramError: If that number is below 1.
    """

    def __init__(self, pruning: Pruning, every: int = 100) -> None:
        if every < 1:
            raise EngramError(f"every={every}: give a number of steps of at least 1")
        self.pruning, self.every = pruning, every
        self.rows: list[dict[str, Any]] = []
        self.kept: dict[str, Tensor] = {}

    def after_step(self, rates: list[float]) -> None:
        """Record the weights, once in `every` steps.

        Args:
            rates: The learning rate of each group, which the pruning has noted.
        """
        if not self.pruning.step % self.every:
            self.record()

    @torch.no_grad()
    def record(self) -> None:
        """Record the weights as they are."""
        kept = {name: weight != 0 for name, weight in self.pruning.tensors().items()}
        returned = pruned = 0
        for name, before in self.kept.items():
            pruned += int((~before).sum())
            returned += int((kept[name] & ~before).sum())
        progress = self.pruning.progress()
        strength = progress.strength
        self.rows.append(
            {
                "step": progress.step,
                "threshold": progress.threshold,
                "strength": strength if math.isfinite(strength) else None,
                "sparsity": progress.sparsity,
                "regrowth": returned / pruned if pruned else None,
                "layers": {name: 1 - float(one.float().mean()) for name, one in kept.items()},
                "dead": sum(not one.any() for one in kept.values()),
            }
        )
        self.kept = kept

    def series(self) -> tuple[Series, ...]:
        """The records over the steps: of the whole model, then the sparsity of each layer.

        Regrowth is the share of weights that were zero at the record before and no longer are.
        """
        names = {
            "sparsity": "sparsity",
            "regrowth": "regrowth",
            "effective λ": "strength",
            "threshold": "threshold",
            "dead layers": "dead",
        }
        steps = [row["step"] for row in self.rows]
        whole = [
            Series(name, steps, [row[key] for row in self.rows]) for name, key in names.items()
        ]
        layers = self.rows[0]["layers"] if self.rows else {}
        each = [
            Series(f"sparsity of {name}", steps, [row["layers"][name] for row in self.rows])
            for name in layers
        ]
        return (*whole, *each)

    def state_dict(self) -> dict[str, Any]:
        """The records, and which weights were not zero at the last."""
        return {"rows": copy.deepcopy(self.rows), "kept": dict(self.kept)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state.

        Args:
            state: From `state_dict`.
        """
        self.rows, self.kept = copy.deepcopy(state["rows"]), dict(state["kept"])
