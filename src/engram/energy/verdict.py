"""Whether a model is spike-driven, judged by the inputs of its operations, not by their names."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, NamedTuple, final

from torch import Tensor, nn

from engram.device import evaluating
from engram.energy.count import Count, count_runs, has_neurons, neuron_classes, uncompiled
from engram.energy.joules import FP32, Arithmetic, operation_j
from engram.energy.operation import Kind, Operation
from engram.errors import EngramError
from engram.layout import (
    TOLERANCE,
    Call,
    Fit,
    Layout,
    check_axis,
    comparable,
    customary_axis,
    difference_alone,
    moved,
    samples_along,
    stated_axis,
    tensors_in,
)
from engram.neuron import Neuron

CUSTOMARY = ("stem*/convolution", "head/matmul", "*.attention/matmul.2")
"""Usual exceptions in papers: first convolution, head, second product of the attention."""


@final
@dataclass(frozen=True)
class Finding:
    """An operation that reads non-spike values.

    Attributes:
        operation: Its name: the module and the operator, numbered if a module runs several.
        kinds: The kinds of its operands.
        share: Its share of the compute energy.
        why: Which operands are not spikes.
        allowed_by: The entry of the allow-list that excepts it; empty for a violation.
    """

    operation: str
    kinds: str
    share: float
    why: str
    allowed_by: str = ""

    def __str__(self) -> str:
        excepted = f"; allowed by {self.allowed_by!r}" if self.allowed_by else ""
        return (
            f"{self.operation}: {self.kinds}, {self.share:.1%} of the energy: {self.why}{excepted}"
        )


@final
@dataclass(frozen=True)
class Verdict:
    """Whether a model is spike-driven, with all violations.

    True in a condition if it is: only operations on the allow-list read values other than 0 and 1,
    repeated calls give equal outputs, and no sample's output depends on the others.

    Attributes:
        offences: Violations: operations that read non-spike values without an exception.
        allowed: Such operations that are excepted by the allow-list.
        unused: Entries of the allow-list that excepted nothing.
        silent: Operations that received no spikes at all and are not judged.
        alone: Samples of the first batch that were run alone; 0 if none could be, in which case
            leaks are not detected.
        leaks: The largest difference between a sample's output in its batch and alone, relative to
            the largest output, by place in the batch, for samples that differ.
        repeatable: Whether the same batch gave the same output twice.
        unseen: Possible unobserved multiplications, as in `Count`.
        count: The counted operations.
        untested: Why no sample was run alone; empty if some were.
    """

    offences: tuple[Finding, ...]
    allowed: tuple[Finding, ...]
    unused: tuple[str, ...]
    silent: tuple[str, ...]
    alone: int
    leaks: dict[int, float]
    repeatable: bool
    unseen: tuple[str, ...]
    count: Count
    untested: str = ""

    def __bool__(self) -> bool:
        return not (self.offences or self.leaks or self.unseen) and self.repeatable

    def __str__(self) -> str:
        lines = [f"{'Spike-driven' if self else 'Not spike-driven'}."]
        lines += [f"Violation: {one}" for one in self.offences]
        if not self.repeatable:
            lines.append("The same batch gave another output the second time: state is not reset")
        lines += [
            f"Sample {place} differs by {difference:.1%} when run alone: the batch leaks"
            for place, difference in self.leaks.items()
        ]
        lines += [f"Not observed: {name}" for name in self.unseen]
        lines += [f"Excepted: {one}" for one in self.allowed]
        if self.untested:
            lines.append(f"Not tested for leaks: {self.untested}")
        lines += [f"Silent, therefore not judged: {name}" for name in self.silent]
        return "\n".join(lines)


def verify(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    allow: Sequence[str] = (),
    neurons: type[nn.Module] | Sequence[type[nn.Module]] = (Neuron,),
    arithmetic: Arithmetic = FP32,
    batch_axis: int | None = None,
    samples_alone: int = 4,
    layout: Layout | None = None,
) -> Verdict:
    """Judge whether every synaptic operation reads spikes, over every batch.

    An operand is a spike if all its values, in all the batches, are exactly 0 or 1, or if it is a
    weight: what depends on no input. {0, 0.5} is not a spike: the constant factor could be moved
    into the weights, but the network as run multiplies. Batch norm after a convolution is not an
    operation between neurons, since it folds into the weights, and an elementwise product of
    spikes is a gate. Operations inside a neuron belong to its membrane and are counted but not
    judged.

    Args:
        model: The model; it is run in evaluation mode.
        batches: The inputs of the model, one per call.
        allow: Names of operations or modules that may read other values, with wildcards, such as
            `CUSTOMARY`; the verdict lists what they excepted.
        neurons: Classes of modules that are neurons.
        arithmetic: Energy costs for the shares.
        batch_axis: Axis of the samples in the batches; when None, as `layout` states, or 1 for
            frames of five axes, else 0. Their axis in the outputs is determined by running one
            sample alone; outputs may be nested in dictionaries, sequences and dataclasses.
        samples_alone: Samples of the first batch that are run alone, to detect whether others leak
            into their output. What differs is confirmed in a batch of its copies, because rounding
            depends on the batch size and may flip a spike.
        layout: Meaning of the axes of a batch, as in `count`.

    Raises:
        ValueError: There is no batch, a batch, an operand or the output holds NaN or infinity,
            samples are along another axis, or an operation multiplies unobserved.
    """
    kept = list(batches)
    stated = stated_axis(layout, batch_axis)
    kinds = neuron_classes(neurons)
    with uncompiled(model) as network:
        found = count_runs(network, kept, kinds, None, stated, checked=True)
        test = _alone(network, kept[0], stated, samples_alone, has_neurons(network, kinds))
    total = sum(operation_j(one, arithmetic) for one in found.synaptic)
    findings = [
        _finding(one, operation_j(one, arithmetic) / (total or 1.0), allow)
        for one in found.synaptic
        if why_not(one)
    ]
    used = {one.allowed_by for one in findings}
    return Verdict(
        offences=tuple(one for one in findings if not one.allowed_by),
        allowed=tuple(one for one in findings if one.allowed_by),
        unused=tuple(pattern for pattern in allow if pattern not in used),
        silent=tuple(
            one.name
            for one in found.synaptic
            if any(side.silent and not side.weight for side in one.operands)
        ),
        alone=test.alone,
        leaks=test.leaks,
        repeatable=test.repeatable,
        unseen=found.unseen,
        count=found,
        untested=test.untested,
    )


def why_not(operation: Operation) -> str:
    """Describe the operands of an operation that are not spikes; empty if all are spikes."""
    said = []
    for side, operand in zip(("left", "right"), operation.operands, strict=True):
        if operand.weight or operand.kind is Kind.BINARY:
            continue
        if operand.kind is Kind.INTEGER:
            text = f"integers up to {operand.largest:.0f}"
        elif operand.level is not None:
            text = f"0 and {operand.level:.4g}, a factor that could be folded into the weights"
        else:
            text = "real numbers"
        if operand.calls[Kind.BINARY]:
            text += f", spikes in {operand.calls[Kind.BINARY]} of {sum(operand.calls)} calls"
        said.append(f"the {side} operand has {text}")
    return "; ".join(said)


def _finding(operation: Operation, share: float, allow: Sequence[str]) -> Finding:
    names = (operation.name, operation.path)
    by = next((p for p in allow if any(fnmatchcase(name, p) for name in names)), "")
    return Finding(operation.name, operation.kinds, share, why_not(operation), by)


class _Test(NamedTuple):
    """The results of running samples alone, as in `Verdict`."""

    alone: int
    leaks: dict[int, float]
    repeatable: bool
    untested: str = ""


def _alone(
    model: nn.Module, batch: Any, stated: tuple[int | None, bool], samples: int, spiking: bool
) -> _Test:
    """The samples whose output differs alone, and whether repeated calls give equal outputs."""
    axis = stated[0] if stated[1] else customary_axis(batch)
    with evaluating(model) as device:
        x = moved(batch, device)

        def call(inputs: Any) -> list[Tensor]:
            return tensors_in(model(inputs))

        whole = call(x)
        if not whole:
            raise EngramError("the model returns no tensor: return tensors, nested in any way")
        if not all(part.isfinite().all() for part in whole):
            raise EngramError("the model returns NaN or infinity: check for a diverged weight")
        again = call(x)
        if not _equal(whole, again):
            return _Test(0, {}, False, "the same batch gave another output the second time")
        if axis is None:
            return _Test(0, {}, True, "the input is one sample without a batch axis")
        alone = min(samples, samples_along(x, axis))
        check = partial(check_axis, call, x, axis, stated=stated[1], whole=whole, spiking=spiking)
        if samples_along(x, axis) == 1 or not alone:
            check()
            why = "the first batch has one sample" if alone else "samples_alone is 0"
            return _Test(0, {}, True, why)
        return _leaks(call, x, axis, alone, whole, check)


def _leaks(
    call: Call,
    x: Any,
    axis: int,
    alone: int,
    whole: Sequence[Tensor],
    check: Callable[..., None],
) -> _Test:
    """Run some samples alone, and check whether another axis could be the sample axis."""
    leaks: dict[int, float] = {}
    for place in range(alone):
        try:
            found = difference_alone(call, x, axis, place, whole)
        except Exception as error:  # noqa: BLE001  whatever a model raises on one sample
            check()
            why = str(error).partition("\n")[0]
            return _Test(0, {}, True, f"the model does not run on one sample ({why})")
        if found is None:
            check(fit=Fit.UNSEEN)
            return _Test(0, {}, True, "no axis of the output counts the samples")
        if found > TOLERANCE:
            leaks[place] = found
    check(fit=Fit.DEPENDENT if leaks else Fit.SAMPLES)
    return _Test(alone, leaks, True)


def _equal(outputs: Sequence[Tensor], again: Sequence[Tensor]) -> bool:
    """Whether two calls gave equal outputs, up to rounding."""
    for one, two in zip(outputs, again, strict=True):
        a, b = comparable(one), comparable(two)
        scale = float(a.abs().max()) if a.numel() else 0.0
        if a.numel() and float((a - b).abs().max()) > TOLERANCE * (scale or 1.0):
            return False
    return True
