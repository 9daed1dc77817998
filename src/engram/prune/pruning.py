"""Pruning during training: the thresholds follow a schedule, once for each step of the optimizer.

`Pruning(model, Plan(sparsity=0.95), steps=10_000)` parametrizes the weights of a model;
`engram.train.attach` calls it after each step in any loop, and `train` takes it among its hooks.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engram.errors import EngramError
from engram.prune.functional import shrink
from engram.prune.granularity import Granularity, granularity
from engram.prune.plan import Plan
from engram.prune.schedule import cosine_share, penalty, shape_of, sum_of_rates, uses_rates
from engram.prune.selection import choose, densities, plain, quantile, sample
from engram.prune.strength import Metric, metric_of
from engram.prune.threshold import (
    Thresholded,
    add_threshold,
    keep_mask,
    pruned_weights,
    start_at,
)

UPDATES = 200
"""How often the threshold of a target sparsity is found anew in a training, besides its end."""
SAMPLE = 1 << 20
"""About how many weights are looked at for that; at the end, all are."""


class Progress(NamedTuple):
    """What a pruning has reached after a step.

    Attributes:
        step: Number of optimizer steps.
        threshold: The largest threshold.
        strength: The λ of the last step, of the first group that is pruned; NaN where undefined.
        sparsity: The share of the chosen weights that is zero.
    """

    step: int
    threshold: float
    strength: float
    sparsity: float


@final
class Pruning:
    """Moves the thresholds of a model along a plan; a `StepHook` of `engram.train`.

    Args:
        model: The model, whose chosen weights are parametrized in place.
        plan: The plan.
        steps: Number of optimizer steps of the training.
        rates: The planned learning rate of each step of the first group, for a threshold on the
            schedules lats and pgh.

    Raises:
        EngramError: If the plan cannot be carried out: before the first step.
    """

    def __init__(
        self, model: nn.Module, plan: Plan, steps: int, rates: Sequence[float] | None = None
    ) -> None:
        self.plan, self.steps, self.step = plan, steps, 0
        grain = granularity(plan.granularity)
        chosen = choose(model, plan.include, plan.exclude)
        self.first, self.last = round(plan.begin * steps), round(plan.end * steps)
        self.moves = self.last - self.first
        self.every = max(1, self.moves // UPDATES)
        if self.moves <= 0:
            raise EngramError(f"steps={steps}: no step lies between begin and end; give more steps")
        weights = {name: getattr(*held).detach() for name, held in chosen.items()}
        _check_reachable(plan, grain, weights)
        self.planned = self._planned(rates)
        if plan.mode == "dual":
            for name, (module, tensor) in chosen.items():
                law = Thresholded(
                    getattr(module, tensor), plan.operator, grain, plan.scale, plan.then == "mask"
                )
                add_threshold(module, tensor, name, law)
            self.weights = [one for one in pruned_weights(model) if plain(one.name) in chosen]
        else:
            self.weights = []
        self.dense = (
            {} if plan.mode == "dual" else {n: getattr(*held) for n, held in chosen.items()}
        )
        self.shares = (
            None if plan.sparsity is None else densities(weights, plan.sparsity, plan.budget)
        )
        for found in self.weights:
            if plan.initial is not None:
                start_at(found, plan.initial)
        self.before = self._zeros()
        self.metrics: list[Metric | None] = []
        self.groups: list[int] = []
        self.strength = math.nan
        self.used = 0.0
        self.level = plan.initial or 0.0

    def bind(self, optimizer: Optimizer) -> None:
        """Learn from the optimizer how it turns a penalty into a step.

        Args:
            optimizer: The optimizer, whose groups hold the pruned weights.

        Raises:
            EngramError: If it does not train them all, or λ is given and not defined for it.
        """
        groups = optimizer.param_groups
        place = {id(p): i for i, group in enumerate(groups) for p in group["params"]}
        thetas = {one.name: one.theta for one in self.weights} or self.dense
        for name, theta in thetas.items():
            if id(theta) not in place:
                raise EngramError(
                    f"the optimizer does not train {name}; give it the model's parameters, or "
                    "exclude the weight"
                )
        for one in self.weights:
            if one.law.operator == "str" and id(one.law.learned) not in place:
                raise EngramError(
                    f"the optimizer does not train the threshold of {one.name}; make it after the "
                    "pruning, from the model's parameters"
                )
        self.groups = [place[id(theta)] for theta in thetas.values()]
        self.metrics = []
        for group in groups:
            try:
                self.metrics.append(metric_of(optimizer, group))
            except EngramError:
                if self.plan.strength is not None or self.plan.mode == "prox":
                    raise
                self.metrics.append(None)
        self._check_decay()

    @torch.no_grad()
    def after_step(self, rates: list[float]) -> None:
        """Move the thresholds after a step of the optimizer.

        Args:
            rates: The learning rate of each group.
        """
        if not self.groups:
            raise EngramError(
                "the pruning does not know its optimizer; attach it with engram.train.attach, or "
                "call bind"
            )
        at, self.step = self.step, self.step + 1
        if self.plan.operator == "str" or not self.first <= at < self.last:
            return
        moved, rate = at + 1 - self.first, rates[self.groups[0]]
        factor = penalty(self.plan.schedule, (moved - 1) / self.moves, self.plan.base)
        self.used += rate * factor
        if self.plan.strength is not None:
            self._grow(rates, self.plan.strength * factor)
        elif self.plan.threshold is not None:
            self._move(self.plan.threshold * self._share(moved), rate)
        elif not moved % self.every or moved == self.moves:
            self._aim(moved, rate)
        if self.step == self.last and self.plan.then == "mask":
            for found in self.weights:
                keep_mask(found)

    def tensors(self) -> dict[str, Tensor]:
        """The chosen weights by name, as the model computes with them."""
        return {one.name: one.weight for one in self.weights} or dict(self.dense)

    def sparsity(self) -> float:
        """The share of the chosen weights that is zero."""
        zeros, total = self._zeros(), sum(w.numel() for w in self.tensors().values())
        return zeros / total

    def progress(self) -> Progress:
        """What has been reached."""
        levels = [float(one.law.current().detach()) for one in self.weights] or [self.level]
        return Progress(self.step, max(levels), self.strength, self.sparsity())

    def state_dict(self) -> dict[str, Any]:
        """What the thresholds in the model do not hold."""
        return {
            "plan": repr(self.plan), "steps": self.steps, "step": self.step, "used": self.used,
            "strength": self.strength, "level": self.level, "before": self.before,
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state.

        Args:
            state: From `state_dict`.

        Raises:
            EngramError: If it is of another plan or another number of steps.
        """
        if (state["plan"], state["steps"]) != (repr(self.plan), self.steps):
            raise EngramError(
                f"the checkpoint was pruned by {state['plan']} in {state['steps']} steps, and this "
                f"training by {self.plan!r} in {self.steps}: continue with the same plan"
            )
        for name in ("step", "used", "strength", "level", "before"):
            setattr(self, name, state[name])

    def _check_decay(self) -> None:
        """Raise EngramError if decay keeps a growing threshold below the one at which it stops."""
        strength, threshold = self.plan.strength, self.plan.threshold
        if strength is None or threshold is None:
            return
        decay = max(metric.decay for i in set(self.groups) if (metric := self.metrics[i]))
        if decay and threshold > strength / decay:
            raise EngramError(
                f"threshold={threshold} with strength={strength} and a weight decay of {decay}: "
                f"decay of θ keeps d below λ/decay = {strength / decay:.4g}; give a smaller "
                "threshold"
            )

    def _planned(self, rates: Sequence[float] | None) -> float:
        plan = self.plan
        if plan.threshold is None or plan.strength is not None or not uses_rates(plan.schedule):
            return math.nan
        if rates is None or len(rates) < self.last:
            raise EngramError(
                f"schedule={plan.schedule!r} divides a threshold by the learning rates, and "
                f"{0 if rates is None else len(rates)} of {self.last} are given; give the planned "
                "rate of each step, or use s-lats for a cosine, or give a strength"
            )
        return sum_of_rates(rates[self.first : self.last], plan.schedule, plan.base)

    def _share(self, moved: int) -> float:
        """The share of the final threshold after some moves.

        On the way to a target sparsity, the learning rates are taken for a cosine.
        """
        kind, x = self.plan.schedule, moved / self.moves
        share = x
        if kind == "s-lats" or (kind == "lats" and self.plan.threshold is None):
            share = cosine_share(moved, self.moves, self.plan.warmup)
        elif uses_rates(kind) and self.plan.threshold is not None:
            share = self.used / self.planned
        elif kind == "pgh" and self.plan.base != 1:
            share = (1 - self.plan.base**x) / (1 - self.plan.base)
        return shape_of(kind)(x, share)

    def _grow(self, rates: list[float], strength: float) -> None:
        """Let thresholds grow by a penalty, each at the rate of its group."""
        self.strength = strength
        metrics = [(self.metrics[group], rates[group]) for group in self.groups]
        if self.dense:
            for theta, (metric, rate) in zip(self.dense.values(), metrics, strict=True):
                assert metric is not None
                theta.copy_(shrink(theta, metric.growth(strength, rate, 0.0)))
            return
        for found, (metric, rate) in zip(self.weights, metrics, strict=True):
            assert metric is not None
            before = found.law.total.item()
            after = before + metric.growth(strength, rate, before)
            most = self.plan.threshold
            found.law.move(after if most is None else min(after, most))
        self.level = self.weights[0].law.total.item()

    def _move(self, threshold: float, rate: float) -> None:
        """Set all thresholds, and note the penalty that it stands for."""
        metric = self.metrics[self.groups[0]]
        growth = threshold - self.level
        self.strength = math.nan if metric is None else metric.penalty(growth, rate, self.level)
        for theta in self.dense.values():
            theta.copy_(shrink(theta, max(growth, 0.0)))
        for found in self.weights:
            found.law.move(threshold)
        self.level = threshold

    def _aim(self, moved: int, rate: float) -> None:
        """Move the thresholds towards the target sparsity."""
        assert self.plan.sparsity is not None
        goal, factor = self.plan.sparsity, self._share(moved)
        if self.plan.schedule == "cubic" or self.plan.operator == "hard":
            start = self.before / sum(w.numel() for w in self.tensors().values())
            goal, factor = start + (goal - start) * factor, 1.0
        before = self.level
        levels = self._quantiles(goal, None if moved == self.moves else SAMPLE)
        for found in self.weights:
            found.law.move(factor * levels[found.name])
        self.level = factor * max(levels.values())
        metric = self.metrics[self.groups[0]]
        if metric is not None:
            self.strength = metric.penalty((self.level - before) / self.every, rate, self.level)

    def _quantiles(self, goal: float, most: int | None) -> dict[str, float]:
        """The thresholds at which a sparsity is reached, from about `most` weights, or from all."""
        assert self.plan.sparsity is not None
        sized = {one.name: one.law.magnitude(one.theta) for one in self.weights}
        if self.shares is None:
            return dict.fromkeys(sized, quantile(sample(list(sized.values()), most), goal))
        scale = goal / self.plan.sparsity if self.plan.sparsity else 0.0
        return {
            name: quantile(sample([m], most), (1 - self.shares[name]) * scale)
            for name, m in sized.items()
        }

    def _zeros(self) -> int:
        with torch.no_grad():
            return sum(int((weight == 0).sum()) for weight in self.tensors().values())


def _check_reachable(plan: Plan, grain: Granularity, weights: Mapping[str, Tensor]) -> None:
    """Raise EngramError if a target sparsity cannot be reached."""
    if plan.sparsity is None:
        return
    if plan.mode == "prox":
        raise EngramError("a target sparsity is not defined for mode='prox'; give a strength")
    if grain.kept:
        raise EngramError(
            f"granularity={grain.name!r} itself sets {1 - grain.kept / grain.block:.4g} of the "
            "weights to zero; give threshold=0 in place of a sparsity"
        )
    if plan.operator == "str":
        raise EngramError("the threshold of str is learned, so that no sparsity can be promised")
    total = sum(weight.numel() for weight in weights.values())
    units = {
        name: 1 if grain.sizes is None else weight.numel() // _groups(weight, grain)
        for name, weight in weights.items()
    }
    most = 1 - sum(units.values()) / total if plan.budget != "global" else 1 - 1 / total
    if plan.sparsity > most:
        raise EngramError(
            f"sparsity={plan.sparsity}: with one group left in each tensor at most {most:.4f} can "
            "be zero; give less, or a finer granularity"
        )


def _groups(weight: Tensor, grain: Granularity) -> int:
    if grain.name == "channel":
        return weight.shape[0]
    if grain.name == "neuron":
        return weight.shape[1]
    return weight.numel() // grain.block
