"""From the named arrays of a file to responses or RDMs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from engram.data.responses.model import Rdms, ResponseOptions, Responses, stimuli_of
from engram.errors import EngramError

NAMES: dict[str, tuple[str, ...]] = {
    "stimulus": (
        "stimulus_id", "stimulus_ids", "stimuli", "stimulus", "image_id", "image_ids",
        "image_file_name", "filename",
    ),
    "neuroid": (
        "neuroid_id", "neuroid_ids", "neuroid", "neuroids", "unit_id", "unit_ids", "units",
        "cell_id", "cell_ids", "neurons", "voxels",
    ),
    "area": ("region", "regions", "area", "areas", "roi", "rois", "brain_area"),
    "subject": ("animal", "animals", "subject", "subjects", "monkey", "mouse"),
    "time": ("time_s", "time_bin_start", "time_bin"),
}  # fmt: skip
"""What the arrays of ids are called."""
SECONDS = ("time_s",)
"""Names of times in seconds; the others are in milliseconds, as BrainIO has them."""
VALUES = (
    "responses", "response", "counts", "spike_counts", "rates", "firing_rates", "data", "values",
    "activity",
)  # fmt: skip
"""What an array of responses is called, unless its dimensions tell."""
DIMENSIONS = {
    "presentation": "presentation", "presentations": "presentation", "stimulus": "stimulus",
    "stimuli": "stimulus", "image": "stimulus", "images": "stimulus", "repetition": "repetition",
    "repetitions": "repetition", "repeat": "repetition", "neuroid": "neuroid",
    "neuroids": "neuroid", "unit": "neuroid", "units": "neuroid", "neuron": "neuroid",
    "time_bin": "time", "time_bins": "time", "time": "time",
}  # fmt: skip
"""The axes that named dimensions stand for."""


class Arrays(NamedTuple):
    """The arrays of a file.

    Attributes:
        held: The arrays, by name; text as `str`.
        dims: Names of the dimensions of those that have named ones.
        notes: What was left out.
    """

    held: Mapping[str, np.ndarray]
    dims: Mapping[str, Sequence[str]] = {}
    notes: tuple[str, ...] = ()

    def ids(self, kind: str, length: int | None = None) -> np.ndarray | None:
        """The ids of a kind, one after another; None if the file has none of that length."""
        for name in NAMES[kind]:
            found = self.held.get(name)
            if found is not None and (length is None or found.size == length):
                return found.ravel()
        return None

    def shapes(self) -> str:
        """The arrays with their shapes, for a message."""
        return ", ".join(f"{name} {array.shape}" for name, array in self.held.items())


def interpreted(arrays: Arrays, options: ResponseOptions) -> Responses | Rdms:
    """Responses or RDMs of the arrays of a file.

    Args:
        arrays: The arrays.
        options: What the file does not say itself.

    Raises:
        EngramError: It cannot be told which arrays are meant, or what their axes are.
    """
    for key in options.keys:
        if key not in arrays.held:
            raise EngramError(f"there is no array {key!r}: it holds {arrays.shapes()}")
    chosen = options.keys or tuple(
        name for name, array in arrays.held.items() if triangles(array, name) is not None
    )
    squares = {name: triangles(arrays.held[name], name, options.correlation) for name in chosen}
    if chosen and not options.axes:
        found = {name: rdms for name, rdms in squares.items() if rdms is not None}
        if len(found) == len(chosen):
            return _rdms(arrays, found, options)
    return _responses(arrays, options)


def triangles(array: np.ndarray, name: str, correlation: bool = False) -> np.ndarray | None:
    """The upper triangles `(matrices, pairs)` of symmetric matrices; None if it holds none.

    An array of one or two axes with as many columns as there are pairs is taken as triangles if
    its name contains "rdm". Otherwise the first two or last two axes are those of the matrices.

    Args:
        array: An array of a file.
        name: Its name.
        correlation: Whether it holds correlations.
    """
    if array.dtype.kind not in "fiu":
        return None
    found = None
    if array.ndim in (1, 2) and "rdm" in name.lower() and stimuli_of(array.shape[-1]) > 2:
        found = np.atleast_2d(array).astype(np.float64)
    elif array.ndim in (2, 3):
        stack = array[None] if array.ndim == 2 else array
        for each in (stack, np.moveaxis(stack, 2, 0)):
            if each.shape[1] == each.shape[2] > 2 and _symmetric(each):
                upper = np.triu_indices(each.shape[1], 1)
                found = each[:, upper[0], upper[1]].astype(np.float64)
                break
    return found if found is None or not correlation else 1 - found


def _symmetric(stack: np.ndarray) -> bool:
    values = stack.astype(np.float64)
    scale = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 0.0
    corner = values.diagonal(axis1=1, axis2=2)
    turned = np.swapaxes(values, 1, 2)
    even = np.isclose(values, turned, atol=1e-4 * scale, rtol=0, equal_nan=True).all()
    return bool(scale > 0 and even and (np.nanstd(corner, axis=1) <= 1e-4 * scale).all())


def _rdms(arrays: Arrays, found: Mapping[str, np.ndarray], options: ResponseOptions) -> Rdms:
    notes, rdms, subjects = list(arrays.notes), {}, {}
    for name, held in found.items():
        count = len(held)
        areas, people = arrays.ids("area", count), arrays.ids("subject", count)
        layers = arrays.held.get("layer")
        if areas is not None and count > 1:
            labels = [str(area) for area in areas]
            if layers is not None and layers.size == count:
                pairs = zip(labels, layers.ravel(), strict=True)
                labels = [f"{area} {layer}" for area, layer in pairs]
        else:
            labels = [_area_name(name)] * count
        ids = [str(one) for one in people] if people is not None else None
        for label in dict.fromkeys(labels):
            rows = [row for row in range(count) if labels[row] == label]
            who = [ids[row] for row in rows] if ids else [str(k + 1) for k in range(len(rows))]
            if len(rows) > 1 and ids is None:
                notes.append(f"{name}: the {len(rows)} RDMs of {label} are taken as subjects")
            rdms[label], subjects[label] = _by_subject(held[rows], who, label, notes)
    stimuli = _stimulus_ids(arrays, options, stimuli_of(next(iter(found.values())).shape[1]))
    if options.correlation:
        notes.append("the RDM is 1 − the correlations of the file")
    return Rdms(rdms, stimuli, subjects, tuple(notes))


def _area_name(key: str) -> str:
    """The area in the name of an array, such as EVC of EVC_RDMs."""
    parts = [part for part in key.split("_") if part.lower() not in ("rdm", "rdms")]
    return " ".join(parts) or key


def _by_subject(
    rows: np.ndarray, who: list[str], label: str, notes: list[str]
) -> tuple[np.ndarray, list[str]]:
    """One RDM of each subject: sessions of one subject are not independent, and are averaged."""
    names = list(dict.fromkeys(who))
    if len(names) == len(who):
        return rows, who
    notes.append(f"{label}: {len(who)} RDMs of {len(names)} subjects were averaged by subject")
    means = [rows[[k for k, one in enumerate(who) if one == name]].mean(0) for name in names]
    return np.stack(means), names


def _responses(arrays: Arrays, options: ResponseOptions) -> Responses:
    name = _chosen(arrays, options)
    values = arrays.held[name]
    if values.dtype.kind not in "fiub":
        raise EngramError(f"{name} holds {values.dtype}: give real numbers")
    axes = _axes(arrays, name, options)
    exact = values.dtype.itemsize <= 2 or values.dtype == np.float32
    numbers = values.astype(np.float32 if exact else np.float64)
    if options.missing is not None:
        numbers[values == options.missing] = np.nan
    numbers[~np.isfinite(numbers)] = np.nan
    notes = [*arrays.notes, f"{name}: its axes are {', '.join(axes)}"]
    across = "presentation" if "presentation" in axes else "stimulus"
    order = [across, *(["repetition"] if across == "stimulus" else []), "neuroid", "time"]
    whole: np.ndarray = np.moveaxis(
        numbers.reshape(numbers.shape + (1,) * (len(order) - len(axes))),
        [*_places(order, axes)],
        range(len(order)),
    )
    stimuli = _stimulus_ids(arrays, options, len(whole))
    if across == "presentation":
        if not stimuli:
            raise EngramError(
                f"{name} has presentations, and no array names the stimulus of each: name it "
                f"({', '.join(NAMES['stimulus'][:3])}), or with the option stimulus"
            )
        whole, stimuli = grouped(whole, stimuli)
    times = arrays.ids("time", whole.shape[3]) if "time" in axes else None
    return labelled(arrays, whole, stimuli, times, tuple(notes))


def labelled(
    arrays: Arrays,
    values: np.ndarray,
    stimuli: Sequence[str],
    times: np.ndarray | None,
    notes: tuple[str, ...],
) -> Responses:
    """Responses with the ids, areas and subjects of their neurons."""
    count = values.shape[2]
    found = {kind: arrays.ids(kind, count) for kind in ("neuroid", "area", "subject")}
    texts = {
        kind: [str(k) for k in range(count)] if kind == "neuroid" else [""] * count
        for kind in found
    }
    texts |= {kind: [str(one) for one in held] for kind, held in found.items() if held is not None}
    starts = () if times is None or times.dtype.kind not in "fiu" else tuple(map(float, times))
    if starts and not any(name in arrays.held for name in SECONDS):
        starts = tuple(start / 1000 for start in starts)
    return Responses(
        values, stimuli, texts["neuroid"], texts["area"], texts["subject"], starts, notes
    )


def _places(order: Sequence[str], axes: Sequence[str]) -> list[int]:
    """Where each wanted axis is; those that are absent are at the end, of length one."""
    absent = iter(range(len(axes), len(order)))
    return [axes.index(name) if name in axes else next(absent) for name in order]


def _chosen(arrays: Arrays, options: ResponseOptions) -> str:
    if len(options.keys) > 1:
        raise EngramError(f"keys={options.keys}: give one array of responses")
    if options.keys:
        return options.keys[0]
    known = {name for names in NAMES.values() for name in names}
    wide = [name for name, held in arrays.held.items() if held.ndim >= 2 and name not in known]
    wide = [name for name in wide if arrays.held[name].dtype.kind in "fiub"]
    for fits in (
        [name for name in wide if "neuroid" in _named_axes(arrays, name)],
        [name for name in wide if name.lower() in VALUES],
        wide,
    ):
        if len(fits) == 1:
            return fits[0]
    raise EngramError(
        f"it cannot be told which array holds the responses or RDMs: name it with the option keys; "
        f"it holds {arrays.shapes() or 'nothing'}"
    )


def _named_axes(arrays: Arrays, name: str) -> list[str]:
    return [DIMENSIONS.get(dim, "") for dim in arrays.dims.get(name, ())]


def _axes(arrays: Arrays, name: str, options: ResponseOptions) -> list[str]:
    """The axes of the responses: stated, named by the file, or told by the lengths of the ids."""
    shape = arrays.held[name].shape
    axes = list(options.axes) or _named_axes(arrays, name)
    if not axes:
        kinds = {
            kind: ids.size
            for kind in ("stimulus", "neuroid", "time")
            if (ids := arrays.ids(kind)) is not None
        }
        fits = [[kind for kind, size in kinds.items() if size == length] for length in shape]
        axes = [fit[0] if len(fit) == 1 else "" for fit in fits]
        if axes.count("") == 1 and {"stimulus", "neuroid"} <= set(axes) and "time" not in kinds:
            axes = []  # repetitions or time: the file does not say
    needed = {"stimulus", "neuroid"} if "presentation" not in axes else {"neuroid"}
    whole = len(axes) == len(shape) and "" not in axes and len(set(axes)) == len(axes)
    both = {"presentation", "stimulus"} <= set(axes) or {"presentation", "repetition"} <= set(axes)
    if not whole or not needed <= set(axes) or both:
        stated = f"axes={options.axes}" if options.axes else "the file does not say"
        raise EngramError(
            f"{name} has shape {shape}, and what its axes are is not clear ({stated}): state one "
            "name for each, such as axes=('stimulus', 'repetition', 'neuroid'); of stimulus, "
            "repetition, neuroid, time, or presentation instead of the first two"
        )
    return axes


def _stimulus_ids(arrays: Arrays, options: ResponseOptions, count: int) -> list[str]:
    if options.stimulus is None:
        found = arrays.ids("stimulus", count)
        return [] if found is None else [str(one) for one in found]
    named = arrays.held.get(options.stimulus)
    if named is None or named.size != count:
        raise EngramError(
            f"stimulus={options.stimulus!r} should name {count} stimuli: it holds {arrays.shapes()}"
        )
    return [str(one) for one in named.ravel()]


def grouped(values: np.ndarray, ids: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Presentations by stimulus and repetition.

    Args:
        values: `(presentation, neuroid, time)`.
        ids: The stimulus of each presentation.

    Returns:
        `(stimulus, repetition, neuroid, time)`, with NaN where a stimulus has fewer repetitions
        than another, and the ids in order of their first presentation.
    """
    stimuli = list(dict.fromkeys(ids))
    number = {one: place for place, one in enumerate(stimuli)}
    most = max(np.unique(list(ids), return_counts=True)[1])
    out = np.full((len(stimuli), most, *values.shape[1:]), np.nan, values.dtype)
    seen = np.zeros(len(stimuli), int)
    for row, one in zip(values, ids, strict=True):
        place = number[one]
        out[place, seen[place]] = row
        seen[place] += 1
    return out, stimuli
