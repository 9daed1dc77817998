"""What the readers of responses take and return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engram.errors import EngramError

AXES = ("stimulus", "repetition", "presentation", "neuroid", "time")
"""Names of the axes of an array of responses; a presentation is one repetition of one stimulus."""


@dataclass(frozen=True)
class ResponseOptions:
    """What a file of responses does not say itself.

    Args:
        keys: Names of the arrays to read; empty takes those that can be told by their names or
            shapes.
        axes: Names of the axes of the responses, in order: stimulus, repetition, presentation,
            neuroid, time; empty takes those that the file states.
        missing: The number that stands for a repetition that does not exist, such as 255.
        correlation: Whether the matrices hold correlations r, and the RDM is 1 − r.
        presentations: NWB: the table of presentations, such as intervals/trials.
        stimulus: Name of the array, or the column of that table, with the ids of the stimuli.
        window_s: NWB: first and last second after the start of a presentation in which spikes
            count; None takes the whole presentation.
        bin_s: NWB: width of a bin in seconds; None counts the window as one bin.
    """

    keys: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    missing: float | None = None
    correlation: bool = False
    presentations: str | None = None
    stimulus: str | None = None
    window_s: tuple[float, float] | None = None
    bin_s: float | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.axes if name not in AXES]
        if unknown or len(set(self.axes)) < len(self.axes):
            raise EngramError(f"axes={self.axes}: name each once, of {', '.join(AXES)}")
        if self.window_s is not None and not self.window_s[0] < self.window_s[1]:
            raise EngramError(f"window_s={self.window_s}: give its start and a later end")
        if self.bin_s is not None and not 0 < self.bin_s < float("inf"):
            raise EngramError(f"bin_s={self.bin_s}: give a positive number of seconds")


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses of neurons to repeated stimuli.

    Args:
        values: `(stimulus, repetition, neuroid, time)`; NaN where there is no such repetition.
        stimuli: Distinct ids of the stimuli; empty if the file states none.
        neuroids: Ids of the neurons, or voxels.
        areas: The area of each; empty text if the file states none.
        subjects: The subject of each; empty text if the file states none.
        time_s: Start of each bin of time, in seconds; empty if it is not stated.
        notes: What was taken for granted or left out.

    Raises:
        ValueError: The lengths differ, an id occurs twice, or there is no finite value.
    """

    values: np.ndarray
    stimuli: Sequence[str]
    neuroids: Sequence[str]
    areas: Sequence[str]
    subjects: Sequence[str]
    time_s: Sequence[float] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = self.values.shape
        if len(shape) != 4 or 0 in shape:
            raise EngramError(
                f"responses have shape {shape}: give (stimulus, repetition, neuroid, time)"
            )
        lengths = {
            "stimuli": (self.stimuli, shape[0]),
            "neuroids": (self.neuroids, shape[2]),
            "areas": (self.areas, shape[2]),
            "subjects": (self.subjects, shape[2]),
            "times": (self.time_s, shape[3]),
        }
        for name, (held, length) in lengths.items():
            optional = name in ("stimuli", "times") and not len(held)
            if len(held) != length and not optional:
                raise EngramError(f"{len(held)} {name} for {length} in responses of shape {shape}")
        check_distinct(self.stimuli, "stimuli")
        if not np.isfinite(self.values).any():
            raise EngramError("the responses hold no finite value")


@dataclass(frozen=True, eq=False)
class Rdms:
    """RDMs of subjects, by area.

    Args:
        rdms: By the name of the area, `(subjects, pairs)`: upper triangles, row by row.
        stimuli: Distinct ids of the stimuli; empty if the file states none.
        subjects: By the name of the area, the ids of its subjects.
        notes: What was taken for granted or left out.

    Raises:
        ValueError: There is none, their sizes differ, or an id occurs twice.
    """

    rdms: Mapping[str, np.ndarray]
    stimuli: Sequence[str]
    subjects: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sizes = {name: rdm.shape[1] for name, rdm in self.rdms.items()}
        if not sizes or len(set(sizes.values())) > 1:
            raise EngramError(f"RDMs of {sizes} pairs: give RDMs of the same stimuli")
        count = self.n_stimuli
        if len(self.stimuli) not in (0, count):
            raise EngramError(f"{len(self.stimuli)} stimuli for RDMs of {count}")
        check_distinct(self.stimuli, "stimuli")

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return stimuli_of(next(iter(self.rdms.values())).shape[1])


def stimuli_of(pairs: int) -> int:
    """The number of stimuli with this number of pairs; 0 if there is none."""
    count = round((1 + (1 + 8 * pairs) ** 0.5) / 2)
    return count if count * (count - 1) == 2 * pairs else 0


def check_distinct(ids: Sequence[str], what: str) -> None:
    """Raise ValueError if an id occurs twice."""
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if list(ids).count(one) > 1)
        raise EngramError(f"{what} hold {twice!r} twice: give each an id of its own")
