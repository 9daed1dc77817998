"""The sample axis of a batch: stated by the caller and checked by running the network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from numbers import Integral
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from engram.errors import EngramError

Layout = Literal["time-first", "batch-first", "static", "single"]
"""Meaning of the axes of a batch: `(time, batch, …)`, `(batch, …)` optionally followed by a time
axis, `(batch, …)` without time, or one sample without a batch axis."""

BATCH_AXES: dict[Layout, int | None] = {
    "time-first": 1,
    "batch-first": 0,
    "static": 0,
    "single": None,
}
TOLERANCE = 1e-5
"""Maximum difference of outputs, relative to the largest output, considered rounding error."""

Call = Callable[[Any], list[Tensor]]
"""Runs a network from the same state at each call and returns its output tensors."""


class Fit(Enum):
    """How a network treats an axis of its input."""

    SAMPLES = "each entry alone gives its own output"
    DEPENDENT = "the output of an entry depends on the others"
    UNSEEN = "no axis of the output counts its entries"
    REFUSED = "the network does not run on one entry"


def stated_axis(layout: Layout | None, batch_axis: int | None) -> tuple[int | None, bool]:
    """The batch axis that a caller states, and whether one is stated.

    Raises:
        ValueError: The layout does not exist, the axis is not a whole number, or both are given and
            differ.
    """
    if batch_axis is not None and not isinstance(batch_axis, Integral):
        raise EngramError(f"batch_axis={batch_axis!r}: give the number of an axis, such as 1")
    if layout is None:
        return batch_axis, batch_axis is not None
    if layout not in BATCH_AXES:
        raise EngramError(f"layout={layout!r}: choose one of {', '.join(get_args(Layout))}")
    axis = BATCH_AXES[layout]
    if batch_axis is not None and batch_axis != axis:
        raise EngramError(
            f"layout={layout!r} has the samples at axis {axis}, but batch_axis={batch_axis}; give "
            f"only one of the two"
        )
    return axis, True


def customary_axis(batch: Any) -> int:
    """The default batch axis: 1 for frames with five axes, else 0."""
    return 1 if first_tensor(batch).ndim == 5 else 0


def first_tensor(batch: Any) -> Tensor:
    """The first tensor of a batch.

    Raises:
        ValueError: It contains no tensor.
    """
    for x in tree_leaves(batch):
        if isinstance(x, Tensor):
            return x
    raise EngramError(f"a batch is a {type(batch).__name__} without a tensor; give tensors")


def samples_along(batch: Any, axis: int | None) -> int:
    """Number of samples of a batch along an axis; one if there is no batch axis.

    Raises:
        ValueError: The batch has no such axis.
    """
    if axis is None:
        return 1
    shape = first_tensor(batch).shape
    if not -len(shape) <= axis < len(shape):
        raise EngramError(
            f"a batch of shape {tuple(shape)} has no axis {axis} for its samples; state its layout"
        )
    return shape[axis]


def tensors_in(output: Any) -> list[Tensor]:
    """All tensors of an output, nested in mappings, sequences and dataclasses to any depth."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, Mapping):
        parts: Sequence[Any] = list(output.values())
    elif isinstance(output, list | tuple):
        parts = output
    elif is_dataclass(output):
        parts = [getattr(output, field.name) for field in fields(output)]
    else:
        return []
    return [x for part in parts for x in tensors_in(part)]


def moved(batch: Any, device: torch.device) -> Any:
    """Move a batch to a device, by its own `.to` or tensor by tensor."""
    if hasattr(batch, "to"):
        return batch.to(device)
    return tree_map(lambda x: x.to(device) if isinstance(x, Tensor) else x, batch)


def sample_of(batch: Any, axis: int, place: int) -> Any:
    """A batch of one: the sample at `place` of every tensor with the batch axis."""
    size = samples_along(batch, axis)

    def one(x: Any) -> Any:
        own = axis_in(x, axis, size)
        return x if own is None else x.narrow(own, place, 1)

    return tree_map(one, batch)


def repeated(batch: Any, axis: int, times: int) -> Any:
    """Repeat a batch along its batch axis."""
    size = samples_along(batch, axis)

    def many(x: Any) -> Any:
        own = axis_in(x, axis, size)
        return x if own is None else torch.cat([x] * times, own)

    return tree_map(many, batch)


def axis_in(x: Any, axis: int, size: int) -> int | None:
    """The batch axis of one tensor of a batch; in a vector with one number per sample it is 0."""
    if not isinstance(x, Tensor):
        return None
    for candidate in (axis, 0) if x.ndim == 1 else (axis,):
        if -x.ndim <= candidate < x.ndim and x.shape[candidate] == size:
            return candidate
    return None


def followed_axis(whole: Tensor, alone: Tensor, size: int) -> int | None:
    """The axis of an output that has `size` times as many entries as that of one sample."""
    if whole.ndim != alone.ndim or not alone.numel():
        return None
    differing = [d for d in range(whole.ndim) if whole.shape[d] != alone.shape[d]]
    if len(differing) != 1 or whole.shape[differing[0]] != size * alone.shape[differing[0]]:
        return None
    return differing[0]


class Followed(NamedTuple):
    """How an output depends on the samples of its input.

    Attributes:
        axis: The axis of the output that counts samples.
        entries: Number of entries per sample there: 1, or more if the axis is folded with another.
        difference: Difference of a sample's output when run alone, relative to the largest output.
    """

    axis: int
    entries: int
    difference: float


def outputs_alone(
    call: Call, batch: Any, axis: int, place: int, whole: Sequence[Tensor]
) -> list[Followed | None]:
    """Compare the outputs of a sample alone with its part of the outputs of the whole batch.

    A difference is confirmed in a batch of copies of the sample, because rounding depends on the
    batch size and may flip a spike.

    Args:
        call: Runs the network.
        batch: A batch of several samples.
        axis: Its batch axis.
        place: Index of the sample.
        whole: The outputs of the whole batch.

    Returns:
        The result for each output; None for one without a sample axis.
    """
    size = samples_along(batch, axis)
    one = sample_of(batch, axis, place)
    alone = call(one)
    if len(whole) != len(alone):
        return [None] * len(whole)
    found = [_followed(*both, size, place) for both in zip(whole, alone, strict=True)]
    if all(part is None or part.difference <= TOLERANCE for part in found):
        return found
    twins = call(repeated(one, axis, size))
    return [
        _followed(many, one, size, place, twin)
        for many, one, twin in zip(whole, alone, twins, strict=True)
    ]


def difference_alone(
    call: Call, batch: Any, axis: int, place: int, whole: Sequence[Tensor]
) -> float | None:
    """The largest difference of `outputs_alone`; None if no output has a sample axis."""
    found = outputs_alone(call, batch, axis, place, whole)
    return max((part.difference for part in found if part is not None), default=None)


def _followed(
    whole: Tensor, alone: Tensor, size: int, place: int, twins: Tensor | None = None
) -> Followed | None:
    axis = followed_axis(whole, alone, size)
    if axis is None:
        return None
    scale = float(comparable(whole).abs().max()) or 1.0
    own = _entries(whole, axis, size, place)
    # if folded with another axis, the samples are its outer or inner part
    others = [alone] * 2 if twins is None else _entries(twins, axis, size, place)
    difference = min(
        float((comparable(a) - comparable(b)).abs().max()) / scale
        for a, b in zip(own, others, strict=True)
    )
    return Followed(axis, alone.shape[axis], difference)


def _entries(x: Tensor, axis: int, size: int, place: int) -> list[Tensor]:
    """The part of an output that may belong to one sample, with the axis length of one sample."""
    outside = x.unflatten(axis, (size, -1)).select(axis, place)
    inside = x.unflatten(axis, (-1, size)).select(axis + 1, place)
    return [outside, inside]


def comparable(x: Tensor) -> Tensor:
    """The values of a tensor in a dtype that can be subtracted."""
    return x if x.is_floating_point() or x.is_complex() else x.double()


def follow(
    call: Call,
    batch: Any,
    axis: int,
    whole: Sequence[Tensor] | None = None,
    *,
    turning: bool = True,
) -> list[Followed | None]:
    """Determine how the outputs of a network depend on an axis of its input, by its last entry.

    The last entry is used because the first of several steps does not depend on the others. A
    single entry is doubled; if a network does not run on one entry, their order is reversed.

    Args:
        call: Runs the network; failing on one entry is a result, not an error.
        batch: A batch.
        axis: The axis.
        whole: The outputs of the batch, where they are known.
        turning: Whether to try the reversed order.

    Returns:
        As `outputs_alone`; empty if the network does not run.
    """
    try:
        if samples_along(batch, axis) == 1:
            batch, whole = repeated(batch, axis, 2), None
        whole = call(batch) if whole is None else whole
        return outputs_alone(call, batch, axis, samples_along(batch, axis) - 1, whole)
    except Exception:  # noqa: BLE001  whatever a network raises on what is no batch of samples
        return _reversed(call, batch, axis, whole) if turning and whole is not None else []


def _reversed(call: Call, batch: Any, axis: int, whole: Sequence[Tensor]) -> list[Followed | None]:
    """How the outputs of a network, for one batch size, depend on the order of its entries."""
    size = samples_along(batch, axis)

    def turned(x: Any) -> Any:
        own = axis_in(x, axis, size)
        return x if own is None else x.flip(own)

    try:
        outputs = call(tree_map(turned, batch))
    except Exception:  # noqa: BLE001  as in `follow`
        return []
    if len(outputs) != len(whole) or size < 2:
        return []
    found = [_turned(*both, size) for both in zip(whole, outputs, strict=True)]
    return found if any(one is not None for one in found) else []


def _turned(whole: Tensor, turned: Tensor, size: int) -> Followed | None:
    if whole.shape != turned.shape or not whole.numel():
        return None
    scale = float(comparable(whole).abs().max()) or 1.0
    found = [
        Followed(d, 1, float((comparable(whole.flip(d)) - comparable(turned)).abs().max()) / scale)
        for d in range(whole.ndim)
        if whole.shape[d] == size
    ]
    best = min(found, key=lambda one: one.difference, default=None)
    return best if best is not None and best.difference <= TOLERANCE else None


def fit_of(
    call: Call,
    batch: Any,
    axis: int,
    whole: Sequence[Tensor] | None = None,
    *,
    turning: bool = True,
) -> Fit:
    """How a network treats an axis of its input; see `follow`."""
    outputs = follow(call, batch, axis, whole, turning=turning)
    found = [one.difference for one in outputs if one is not None]
    if not outputs:
        return Fit.REFUSED
    if not found:
        return Fit.UNSEEN
    return Fit.DEPENDENT if max(found) > TOLERANCE else Fit.SAMPLES


def check_axis(
    call: Call,
    batch: Any,
    axis: int,
    *,
    stated: bool,
    whole: Sequence[Tensor],
    spiking: bool = False,
    fit: Fit | None = None,
) -> None:
    """Check that samples are along the presumed axis.

    The axis is accepted if the network leaks between samples along it and no other axis behaves
    like samples, and also if it is stated and cannot be tested.

    Args:
        call: Runs the network.
        batch: A batch.
        axis: The axis.
        stated: Whether the caller stated it.
        whole: The outputs of the batch.
        spiking: Whether the network is known to have neurons, and so a time axis that may be
            mistaken for samples if no neuron fires.
        fit: How the network treats the axis, if known.

    Raises:
        ValueError: Samples are along another axis, no axis behaves like samples, or two do and one
            of them must be time.
    """
    shape = tuple(first_tensor(batch).shape)
    axis %= len(shape)
    others = [other for other in (0, 1) if other != axis and other < len(shape)]
    if (
        fit is None
        and shape[axis] == 1  # doubling it costs more than first trying other axes
        and not any(fit_of(call, batch, x, whole, turning=False) is Fit.SAMPLES for x in others)
    ):
        return
    fit = fit_of(call, batch, axis, whole) if fit is None else fit
    if fit is Fit.SAMPLES:
        if not stated and len(shape) in (3, 4):
            _check_unambiguous(call, batch, axis, others, whole, spiking)
        return
    said = "stated" if stated else "customary"
    for other in others:
        if fit_of(call, batch, other, whole) is Fit.SAMPLES:
            right = ("batch-first", "time-first")[other]
            leaks = " If they are along axis {axis}, the network leaks from one to another."
            raise EngramError(
                f"a batch of shape {shape}: the {said} batch axis {axis} does not behave like "
                f"samples, because {fit.value}, but axis {other} does. State layout={right!r} if "
                f"the samples are there, or layout='single' for one sample without a batch axis."
                + (leaks.format(axis=axis) if fit is Fit.DEPENDENT else "")
            )
    if fit is Fit.REFUSED and not stated:
        raise EngramError(
            f"a batch of shape {shape}: no axis behaves like samples; along the customary batch "
            f"axis {axis} {fit.value}. State its layout: "
            f"{', '.join(map(repr, get_args(Layout)))}"
        )


def _check_unambiguous(
    call: Call,
    batch: Any,
    axis: int,
    others: Sequence[int],
    whole: Sequence[Tensor],
    spiking: bool,
) -> None:
    """Raise ValueError if another axis also behaves like samples and one of them must be time."""
    for other in others:
        if fit_of(call, batch, other, whole, turning=False) is not Fit.SAMPLES:
            continue
        # neurons that never or always fire carry no state between steps: scale their input
        if spiking or _depends_when_driven(call, batch, axis):
            shape = tuple(first_tensor(batch).shape)
            raise EngramError(
                f"a batch of shape {shape}: axes {axis} and {other} both behave like samples, and "
                "one of them may be time. State layout='time-first', 'batch-first' or 'static'"
            )


def _depends_when_driven(call: Call, batch: Any, axis: int) -> bool:
    """Whether entries of an axis depend on each other when the input is scaled."""

    def scaled(factor: float) -> Any:
        return tree_map(
            lambda x: x * factor if isinstance(x, Tensor) and x.is_floating_point() else x, batch
        )

    return any(
        fit_of(call, scaled(factor), axis, turning=False) is Fit.DEPENDENT
        for factor in (0.25, 3.0, -3.0)
    )
