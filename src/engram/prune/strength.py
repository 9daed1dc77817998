"""The L1 penalty λ that a growing threshold stands for, by optimizer.

    SGD            Δd = η(1 − dampening)/(1 − momentum) · (λ − decay·d)
    AdamW          Δd = η · (λ − decay·d), in Adam's metric, in which a step is per coordinate
    Adam           the same without decay

The factor before λ is how far a constant gradient of 1 moves θ in a step in the long run. Decay of
θ shrinks it by decay·d beyond what it takes from w, which counts as penalty.

References:
    Chen et al., ICLR 2023, equation 9, without momentum and decay; the factors for them are ours.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch.optim import SGD, Adam, AdamW, Optimizer

from engram.errors import EngramError


class Metric(NamedTuple):
    """How an optimizer turns a penalty into a growth of the threshold.

    Attributes:
        gain: What the learning rate is multiplied by.
        decay: The weight decay.
    """

    gain: float
    decay: float

    def growth(self, penalty: float, rate: float, threshold: float) -> float:
        """Δd of a step.

        Args:
            penalty: λ.
            rate: η.
            threshold: d before the step.
        """
        return rate * self.gain * (penalty - self.decay * threshold)

    def penalty(self, growth: float, rate: float, threshold: float) -> float:
        """λ of a step; NaN for a rate of 0.

        Args:
            growth: Δd.
            rate: η.
            threshold: d before the step.
        """
        if rate == 0:
            return float("nan")
        return growth / (rate * self.gain) + self.decay * threshold


def metric_of(optimizer: Optimizer, group: Mapping[str, Any]) -> Metric:
    """Return the metric of a group of parameters.

    Args:
        optimizer: The optimizer.
        group: One of its groups.

    Raises:
        EngramError: If λ is not defined for it.
    """
    decay = float(group.get("weight_decay", 0.0))
    if type(optimizer) is SGD:
        momentum = float(group["momentum"])
        dampening = float(group["dampening"]) if momentum else 0.0
        return Metric((1 - dampening) / (1 - momentum), decay)
    if type(optimizer) is AdamW:
        return Metric(1.0, decay)
    if type(optimizer) is Adam:
        if decay and not group.get("decoupled_weight_decay", False):
            raise EngramError(
                f"Adam with weight_decay={decay} divides the decay by its own second moments, so "
                "that no single λ belongs to a threshold; use AdamW, or give a threshold or a "
                "target sparsity instead of λ"
            )
        return Metric(1.0, decay)
    raise EngramError(
        f"λ is not defined for {type(optimizer).__name__}; use SGD, Adam or AdamW, or give a "
        "threshold or a target sparsity instead of λ"
    )
