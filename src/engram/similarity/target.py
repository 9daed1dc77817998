"""Targets: what is recorded of an area, averaged and selected, with its reliability."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from engram.data.responses import Rdms, Responses
from engram.errors import EngramError
from engram.similarity.ceiling import Ceiling, split_half, subject_ceiling
from engram.similarity.rdm import correlation_rdm
from engram.similarity.reliability import trial_reliability
from engram.similarity.score import neuron_reliability, subject_reliability
from engram.stats import Interval

LEAST_NEURONS = 3
"""Neurons of a subject at least for an RDM: of two, every correlation is −1 or 1."""
GAPS = 0.1
"""Share of the stimuli that a neuron may lack before it is left out, rather than the stimuli."""


class Target(NamedTuple):
    """An area to compare with.

    Attributes:
        name: The area.
        rows: Places of its stimuli among the stimuli of the model.
        rdms: `(subjects, pairs)`.
        subjects: Their ids.
        responses: Mean responses `(stimuli, neurons)`; None where only RDMs are known.
        neuroids: Ids of the neurons.
        rdm_reliability: Reliability that the similarity of RDMs is normalised by, or why it is
            not known.
        reliability: Reliability that predictions of neurons are normalised by, or why it is not
            known.
        of_neurons: Reliability of each neuron, `(neurons)`; None without repetitions.
        ceiling: Ceilings over subjects; None for one subject.
        notes: What was left out, averaged or taken for granted.
    """

    name: str
    rows: np.ndarray
    rdms: np.ndarray
    subjects: tuple[str, ...]
    responses: np.ndarray | None
    neuroids: tuple[str, ...]
    rdm_reliability: Interval | str
    reliability: Interval | str
    of_neurons: np.ndarray | None
    ceiling: Ceiling | None
    notes: tuple[str, ...]


class Match(NamedTuple):
    """Stimuli that both sides have.

    Attributes:
        model: Their places among the stimuli of the model.
        recording: Their places in the recording.
        notes: How they were matched.
    """

    model: np.ndarray
    recording: np.ndarray
    notes: tuple[str, ...]


def match_stimuli(
    model: Sequence[str], recording: Sequence[str], count: int, *, same_order: bool = False
) -> Match:
    """Match the stimuli of a model and a recording by their ids.

    Ids are equal, or equal without folders and the extension of a file.

    Args:
        model: Ids of the stimuli that the model saw.
        recording: Ids of the stimuli of the recording; empty if it has none.
        count: Number of stimuli of the recording.
        same_order: Take the two as the same stimuli in the same order, whatever their ids.

    Raises:
        ValueError: There are no ids or other numbers of stimuli, or fewer than 3 ids match.
    """
    if same_order:
        if len(model) != count:
            raise EngramError(
                f"same order: the model saw {len(model)} stimuli and the recording has {count}"
            )
        places = np.arange(count)
        return Match(places, places, ("the stimuli were taken to be in the same order",))
    if not len(recording):
        raise EngramError(
            f"the recording states no ids of its {count} stimuli: name the array that holds them "
            "(stimulus), or state that the pictures are in the same order (same_order)"
        )
    for reduced in (str, _stem):
        ours, theirs = [reduced(one) for one in model], [reduced(one) for one in recording]
        places = {one: k for k, one in enumerate(ours)}
        if len(places) < len(ours) or len(set(theirs)) < len(theirs):
            continue
        shared = [k for k, one in enumerate(theirs) if one in places]
        if len(shared) >= 3:
            rows = np.array([places[theirs[k]] for k in shared])
            order = rows.argsort()
            left = [
                f"{count - len(shared)} of the recording",
                f"{len(ours) - len(rows)} of the model",
            ]
            notes = (f"{len(rows)} stimuli matched by id; left out: {' and '.join(left)}",)
            return Match(rows[order], np.array(shared)[order], notes)
    raise EngramError(
        f"fewer than 3 stimuli match: the model saw {', '.join(model[:3])}, …, and the recording "
        f"has {', '.join(recording[:3])}, …; rename the pictures, or state that they are in the "
        "same order (same_order)"
    )


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def targets_of(
    recording: Responses | Rdms,
    match: Match,
    rng: np.random.Generator,
    *,
    areas: Sequence[str] = (),
    least_reliability: float | None = None,
    window_s: tuple[float, float] | None = None,
) -> list[Target]:
    """The areas of a recording as targets.

    Args:
        recording: The recording.
        match: Its stimuli and those of the model.
        rng: Random generator of the halves of trials.
        areas: Names of areas; empty for all.
        least_reliability: Leave out neurons whose reliability is below this.
        window_s: Average bins of time that start in this window only, in seconds.

    Raises:
        ValueError: There is no such area, or nothing is left of one.
    """
    known = (
        list(recording.rdms)
        if isinstance(recording, Rdms)
        else list(dict.fromkeys(recording.areas))
    )
    missing = [one for one in areas if one not in known]
    if missing:
        raise EngramError(f"there is no area {missing[0]!r}: there are {', '.join(known)}")
    chosen = list(areas) or known
    if isinstance(recording, Rdms):
        if least_reliability is not None:
            raise EngramError("the recording holds RDMs: neurons cannot be selected")
        return [_of_rdms(recording, name, match) for name in chosen]
    values, notes = _over_time(recording, window_s)
    return [
        _of_responses(
            recording, values[match.recording], name, match, rng, least_reliability, notes
        )
        for name in chosen
    ]


def _of_rdms(recording: Rdms, name: str, match: Match) -> Target:
    upper = np.triu_indices(recording.n_stimuli, 1)
    square = np.zeros((recording.n_stimuli, recording.n_stimuli))
    rdms, here = [], np.ix_(match.recording, match.recording)
    corner = np.triu_indices(len(match.recording), 1)
    for rdm in recording.rdms[name]:
        square[upper] = rdm
        square.T[upper] = rdm
        rdms.append(square[here][corner])
    found, notes = np.stack(rdms), [*match.notes, *recording.notes]
    good = np.isfinite(found).all(1)
    if not good.all():
        notes.append(f"{int((~good).sum())} subjects have NaN in their RDM and were left out")
    if not good.any():
        raise EngramError(f"{name}: every RDM holds NaN; leave those stimuli out of the recording")
    subjects = tuple(np.array(recording.subjects.get(name, range(len(found))), str)[good])
    found = found[good]
    reason = "no ceiling: the recording has only RDMs, so the reliability of neurons is unknown"
    return Target(
        name, match.model, found, subjects, None, (), subject_reliability(found), reason, None,
        _ceiling(found), tuple(notes),
    )  # fmt: skip


def _ceiling(rdms: np.ndarray) -> Ceiling | None:
    return subject_ceiling(rdms) if len(rdms) > 1 else None


def _over_time(
    recording: Responses, window_s: tuple[float, float] | None
) -> tuple[np.ndarray, list[str]]:
    """`(stimulus, repetition, neuroid)`: the mean over the bins of a window."""
    values, notes = recording.values, list(recording.notes)
    bins = values.shape[3]
    if window_s is not None:
        starts = np.asarray(recording.time_s)
        if not starts.size:
            raise EngramError("the recording states no times: leave the window out")
        inside = (starts >= window_s[0]) & (starts < window_s[1])
        if not inside.any():
            raise EngramError(
                f"no bin starts in the window {window_s} s: they start from {starts.min():g} to "
                f"{starts.max():g} s"
            )
        values = values[..., inside]
    if bins > 1:
        notes.append(f"responses are means over {values.shape[3]} of {bins} bins of time")
    if values.shape[3] == 1:
        return values[..., 0].astype(np.float64), notes
    there = np.isfinite(values)
    sums = np.where(there, values, 0).sum(3, dtype=np.float64)
    counts = there.sum(3)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0), notes


def _of_responses(
    recording: Responses,
    values: np.ndarray,
    name: str,
    match: Match,
    rng: np.random.Generator,
    least: float | None,
    notes: list[str],
) -> Target:
    label = name or "all neurons"
    notes = [*match.notes, *notes]
    columns = np.flatnonzero(np.array(recording.areas) == name)
    trials, columns, kept = _without_gaps(values[:, :, columns], columns, notes)
    means = _mean(trials)
    flat = np.ptp(means, axis=0) == 0
    if flat.any():
        named = ", ".join(recording.neuroids[int(k)] for k in columns[flat][:5])
        notes.append(f"{int(flat.sum())} neurons have one constant response: left out ({named})")
    trials, means, columns = trials[:, :, ~flat], means[:, ~flat], columns[~flat]
    of_neurons, why = _of_each(trials, rng)
    if least is not None:
        if of_neurons is None:
            raise EngramError(f"{label}: neurons cannot be selected by reliability: {why}")
        good = np.nan_to_num(of_neurons, nan=-1.0) >= least
        notes.append(
            f"{int(good.sum())} of {len(good)} neurons have a reliability of {least:g} or more"
        )
        trials, means, columns = trials[:, :, good], means[:, good], columns[good]
        of_neurons = of_neurons[good]
    if means.shape[1] < LEAST_NEURONS or len(means) < 3:
        raise EngramError(
            f"{label}: {means.shape[1]} neurons and {len(means)} stimuli are left, and "
            f"{LEAST_NEURONS} of each are needed: {'; '.join(notes)}"
        )
    people = np.array([recording.subjects[int(k)] for k in columns])
    rdms, subjects = _by_subject(means, people, notes)
    own = people[np.isin(people, subjects)]
    return Target(
        label, match.model[kept], rdms, subjects, means,
        tuple(recording.neuroids[int(k)] for k in columns),
        _rdm_reliability(rdms, trials, people, own, rng, why),
        why if of_neurons is None else neuron_reliability(of_neurons),
        of_neurons, _ceiling(rdms), tuple(notes),
    )  # fmt: skip


def _without_gaps(
    trials: np.ndarray, columns: np.ndarray, notes: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trials, neurons and stimuli such that every neuron has a trial of every stimulus."""
    there = np.any(np.isfinite(trials), axis=1)
    bad = int((~np.isfinite(trials)).sum())
    full = (~there).mean(0) <= GAPS
    if not full.all():
        notes.append(
            f"{int((~full).sum())} neurons lack more than {GAPS:.0%} of the stimuli: left out"
        )
    kept = np.flatnonzero(np.all(there[:, full], axis=1))
    if len(kept) < len(trials):
        notes.append(f"{len(trials) - len(kept)} stimuli lack a trial of some neuron: left out")
    if bad:
        notes.append(f"{bad} of {trials.size} trials are missing or NaN, and do not count")
    return trials[kept][:, :, full], columns[full], kept


def _mean(trials: np.ndarray) -> np.ndarray:
    there = np.isfinite(trials)
    return np.where(there, trials, 0).sum(1) / there.sum(1)


def _of_each(trials: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray | None, str]:
    """The reliability of each neuron, or why there is none."""
    if not trials.shape[2]:
        return None, "no ceiling: no neuron is left"
    repeated = (np.isfinite(trials).sum(1) >= 2).all(1)
    if repeated.sum() < 3:
        return None, (
            f"no ceiling: {int(repeated.sum())} stimuli have 2 or more repetitions of every "
            "neuron, and a reliability needs 3"
        )
    # the mean over n repetitions is as reliable as the stimuli that have them
    return split_half(trials[repeated].transpose(2, 0, 1), rng, 50), ""


def _by_subject(
    means: np.ndarray, people: np.ndarray, notes: list[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The RDM of each subject with enough neurons."""
    found, names = [], []
    for name in dict.fromkeys(people.tolist()):
        own = means[:, people == name]
        reason = f"{own.shape[1]} neurons" if own.shape[1] < LEAST_NEURONS else ""
        if not reason:
            try:
                found.append(correlation_rdm(own))
                names.append(name)
            except EngramError:
                reason = "equal responses of all its neurons to a stimulus, so no RDM"
        if reason:
            notes.append(f"subject {name or '(not named)'} has {reason}: left out of the RDMs")
    if not found:
        raise EngramError(f"no subject has an RDM: {'; '.join(notes)}")
    return np.stack(found), tuple(names)


def _rdm_reliability(
    rdms: np.ndarray,
    trials: np.ndarray,
    people: np.ndarray,
    own: np.ndarray,
    rng: np.random.Generator,
    why: str,
) -> Interval | str:
    """Over subjects where there are three, else over the trials of the only subject."""
    if len(rdms) >= 3:
        return subject_reliability(rdms)
    if len(rdms) == 2:
        return "no ceiling: 2 subjects; a ceiling over subjects needs 3 or more"
    if why:
        return f"{why}; and one subject has no ceiling over subjects"
    mine = trials[:, :, people == own[0]]
    repeated = (np.isfinite(mine).sum(1) >= 2).all(1)
    try:
        return trial_reliability(mine[repeated], rng)
    except EngramError as error:
        return f"no ceiling: {error}"
