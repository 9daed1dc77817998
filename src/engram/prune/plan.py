"""The settings of a pruning: what is pruned, how, and how far."""

import math
from dataclasses import dataclass
from typing import Literal, final

from engram.errors import EngramError
from engram.prune.granularity import granularity
from engram.prune.schedule import Kind, shape_of
from engram.prune.selection import Budget
from engram.prune.threshold import Operator


@final
@dataclass(frozen=True)
class Plan:
    """What is pruned, how, and how far.

    Exactly one of `strength`, `threshold` and `sparsity` says how far; `strength` and `threshold`
    together let the threshold grow at λ until it reaches D.

    Args:
        strength: λ, the L1 penalty, for SGD, Adam and AdamW.
        threshold: D, the threshold at the end.
        sparsity: The share of the chosen weights that is zero at the end.
        schedule: How the threshold gets there: lats, s-lats, pgh, sine, linear, cubic or fixed.
        operator: soft, str, st3, feather, grad-r or hard.
        granularity: weight, channel, neuron, block:B or N:M.
        budget: How a target sparsity is divided: global, uniform or erk.
        include: Patterns of names of weights or modules; none for all linear and convolution
            layers.
        exclude: Patterns of those that stay dense.
        begin: The share of the steps before the threshold moves.
        end: The share of the steps after which it stays.
        then: What stays at the end: the threshold, so that weights may return, or the mask.
        initial: A threshold to start with, at which the model computes the same: keeps a sparse
            model sparse, and with a fixed schedule prunes at initialisation.
        warmup: Steps of linear warm-up of the learning rate, for s-lats.
        base: β of pgh.
        scale: The factor of the gradient of pruned weights, for feather.
        mode: dual trains θ through the threshold; prox shrinks the weights after each step.
    """

    strength: float | None = None
    threshold: float | None = None
    sparsity: float | None = None
    schedule: Kind = "lats"
    operator: Operator = "soft"
    granularity: str = "weight"
    budget: Budget = "global"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    begin: float = 0.0
    end: float = 1.0
    then: Literal["threshold", "mask"] = "threshold"
    initial: float | None = None
    warmup: int = 0
    base: float = 0.1
    scale: float = 0.5
    mode: Literal["dual", "prox"] = "dual"

    def __post_init__(self) -> None:
        names = ("strength", "threshold", "sparsity")
        given = [name for name in names if getattr(self, name) is not None]
        if self.operator != "str" and given not in (
            ["strength"], ["threshold"], ["sparsity"], ["strength", "threshold"],
        ):  # fmt: skip
            raise EngramError(
                f"{', '.join(given) or 'nothing'} is given: give one of strength (λ), threshold "
                "(D) and sparsity, or strength with a threshold at which it stops"
            )
        for name in ("strength", "threshold"):
            value = getattr(self, name)
            if value is not None and not (0 <= value < math.inf):
                raise EngramError(f"{name}={value}: give a finite number of at least 0")
        if self.sparsity is not None and not 0 <= self.sparsity < 1:
            raise EngramError(f"sparsity={self.sparsity}: give a share from 0 to below 1")
        if not 0 <= self.begin < self.end <= 1:
            raise EngramError(
                f"begin={self.begin}, end={self.end}: give shares of the steps, 0 ≤ begin < end ≤ 1"
            )
        if self.strength is not None and self.schedule not in ("lats", "pgh"):
            raise EngramError(
                f"strength with schedule={self.schedule!r}: a penalty is given step by step, which "
                "lats (constant) and pgh (falling) do; give a threshold or a sparsity instead"
            )
        if not self.base > 0:
            raise EngramError(f"base={self.base}: give a positive number, such as 0.1")
        if self.mode == "prox" and (self.operator, self.granularity) != ("soft", "weight"):
            raise EngramError("mode='prox' shrinks single weights softly; choose soft and weight")
        shape_of(self.schedule)
        granularity(self.granularity)
