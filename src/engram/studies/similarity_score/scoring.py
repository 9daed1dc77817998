"""The one piece of work of a score: record the layers, score them, and keep their RDMs."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from engram.errors import EngramError
from engram.record import collect
from engram.similarity import Layer, Profile, Score, Target, best_of, profiles
from engram.similarity.score import DepthTrend, depth_trend
from engram.stats import Crossed, Interval, crossed_test, holm
from engram.studies.similarity_score.models import Model, tapped, untrained
from engram.studies.similarity_score.plan import Plan, batches_of
from engram.studies.similarity_score.saved import RdmFiles
from engram.studies.similarity_score.stimuli import Stimuli

SHOWN = 24
"""Pictures of the sheet that shows what the network saw."""


def network_layers(
    model: Model,
    stimuli: Stimuli,
    folder: Path,
    batch: int,
    largest: int,
    control: str = "",
) -> list[Layer]:
    """Run a network and keep the features of its layers in files.

    Args:
        model: The network.
        stimuli: The pictures.
        folder: A folder for the files; one of its own is made inside.
        batch: Pictures per call.
        largest: Bytes of the features of a layer at most.
        control: What the network is a control for; empty for the model itself.
    """
    own = folder / (control or "model")
    own.mkdir()
    parts = batches_of(stimuli, batch)
    with tapped(model, stimuli.batch([0, 1])) as found:
        kept = collect(
            found.run, (stimuli.batch(rows) for rows in parts), len(stimuli.ids), own, largest
        )
    return [Layer(name, one.values, one.projected, control) for name, one in kept.items()]


def pixel_layer(stimuli: Stimuli, side: int = 32) -> Layer:
    """The pictures themselves, reduced to a small side, as a control.

    Args:
        stimuli: The pictures.
        side: Side to which they are averaged, in pixels.
    """
    import torch  # noqa: PLC0415

    def load() -> np.ndarray:
        rows = []
        for row in range(len(stimuli.ids)):
            small = torch.nn.functional.adaptive_avg_pool2d(stimuli.batch([row]).float(), side)
            rows.append(small.flatten().numpy())
        return np.stack(rows)

    return Layer("pixels", load, control="pixels")


def controls_of(
    model: Model, stimuli: Stimuli, folder: Path, batch: int, largest: int, seed: int
) -> tuple[list[Layer], list[str]]:
    """The untrained network and the pixels, and why a control is missing."""
    first = stimuli.batch(range(min(len(stimuli.ids), max(batch, 8))))
    try:
        network = untrained(model, first, seed)
        layers = network_layers(network, stimuli, folder, batch, largest, "untrained")
        notes: list[str] = []
    except EngramError as error:
        layers, notes = [], [f"no untrained control: {error}"]
    return [*layers, pixel_layer(stimuli)], notes


def measured(
    layers: Sequence[Layer],
    targets: Sequence[Target],
    metrics: Sequence[str],
    seed: int,
    draws: int,
    components: int,
    files: RdmFiles | None,
) -> dict[str, Any]:
    """Score the layers, test the best ones against the controls, and find the trend of depth.

    Args:
        layers: The layers of the model, and of its controls.
        targets: The areas.
        metrics: What to measure.
        seed: Seed of the resamples.
        draws: Number of resamples.
        components: Components that SVCCA keeps.
        files: Where the RDMs are kept; None keeps none.

    Returns:
        JSON-compatible.
    """
    keep = None if files is None else files.add_layer
    found = profiles(
        layers, targets, metrics, seed=seed, draws=draws, components=components, keep=keep
    )
    if files is not None:
        for target in targets:
            files.add_target(target)
        files.close()
    return {
        "targets": [_target(one) for one in targets],
        "profiles": [_profile(one) for one in found],
        "tests": _tests(found),
        "trends": trends(found, seed),
    }


def interval(one: Interval | None) -> list[float] | None:
    """The estimate and its ends; None if there is none."""
    return None if one is None else [one.estimate, one.low, one.high]


def _target(one: Target) -> dict[str, Any]:
    def said(reliability: Interval | str) -> Any:
        return reliability if isinstance(reliability, str) else interval(reliability)

    return {
        "name": one.name,
        "stimuli": len(one.rows),
        "subjects": list(one.subjects),
        "neurons": len(one.neuroids),
        "rdm_reliability": said(one.rdm_reliability),
        "reliability": said(one.reliability),
        "ceiling": None if one.ceiling is None else list(one.ceiling),
        "notes": list(one.notes),
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "value": interval(score.value),
        "corrected": interval(score.corrected),
        "normalised": interval(score.normalised),
        "no_ceiling": score.reason,
    }


def _profile(one: Profile) -> dict[str, Any]:
    return {
        "area": one.area,
        "metric": one.metric,
        "chance": interval(one.chance),
        "best": None if one.best is None else one.best.layer,
        "nested": None if one.nested is None else [*map(float, one.nested[:3])],
        "layers": [
            {"layer": row.layer, "control": row.control, "reason": row.reason}
            | ({} if row.score is None else _score(row.score))
            for row in one.layers
        ],
    }


def _tests(found: Sequence[Profile]) -> list[dict[str, Any]]:
    """The best layer against the best one of each control, paired; p adjusted by Holm."""
    rows = []
    for one in found:
        for control in dict.fromkeys(row.control for row in one.layers if row.control):
            other = best_of(one.layers, control)
            if other is None or one.best is None:
                continue
            mine, theirs = one.best.crossed, other.crossed
            if mine is None or theirs is None:
                continue
            test = crossed_test(mine, theirs)
            rows.append(
                {
                    "area": one.area, "metric": one.metric, "control": control,
                    "best": one.best.layer, "layer": other.layer,
                    "difference": interval(test.difference), "p": test.p,
                }
            )  # fmt: skip
    adjusted = holm(np.array([row["p"] for row in rows])) if rows else []
    return [row | {"adjusted": float(p)} for row, p in zip(rows, adjusted, strict=True)]


def layers_of(one: Profile, name: str = "") -> list[Crossed]:
    """The resampled scores of the layers of the model, or a control, from the input on."""
    return [row.crossed for row in one.layers if row.control == name and row.crossed is not None]


def rise_of(first: Profile, second: Profile, name: str, seed: int) -> dict[str, Any] | None:
    """How much deeper the best layer of a network is for a second area than for a first one.

    Args:
        first: Profile of the first area.
        second: Profile of the second area, by the same metric.
        name: The network: a control, or empty for the model.
        seed: Seed of the resamples of units.

    Returns:
        JSON-compatible; None if the areas do not have the same layers, at least two.
    """
    crossed = layers_of(first, name), layers_of(second, name)
    if len(crossed[0]) < 2 or len(crossed[0]) != len(crossed[1]):
        return None
    trend: DepthTrend = depth_trend(*crossed, np.random.default_rng(seed))
    rise = trend.rise
    return {
        "metric": first.metric, "first": first.area, "second": second.area,
        "depths": [trend.first, trend.second],
        "rise": [rise.estimate, min(rise.low, rise.estimate), max(rise.high, rise.estimate)],
    }  # fmt: skip


def trends(found: Sequence[Profile], seed: int) -> list[dict[str, Any]]:
    """How much deeper the best layer of an area is than that of the area before it.

    Args:
        found: Profiles; areas are compared in their order.
        seed: Seed of the resamples of units.
    """
    rows = []
    for metric in dict.fromkeys(one.metric for one in found):
        own = [one for one in found if one.metric == metric]
        own = [one for one in own if len(layers_of(one)) > 1]
        rows += [rise_of(first, second, "", seed) for first, second in pairwise(own)]
    return [row for row in rows if row is not None]


def sheet(model: Model, stimuli: Stimuli) -> np.ndarray:
    """What the network was given of the first pictures, side by side, `(height, width, 3)` uint8.

    Its input is scaled so that its smallest value is black and its largest is white.

    Args:
        model: The network.
        stimuli: The pictures.
    """
    rows = range(min(SHOWN, len(stimuli.ids)))
    found = model.transform(stimuli.batch(rows)).float()
    if found.ndim != 4 or found.shape[1] not in (1, 3):
        raise EngramError(
            f"the input has shape {tuple(found.shape)}, which is not that of a picture"
        )
    step = max(1, found.shape[-1] // 96)
    small = found[:, :, ::step, ::step]
    small = (small - small.min()) / (small.max() - small.min()).clamp_min(1e-9) * 255
    tiles = small.round().byte().permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy()
    across = min(8, len(tiles))
    blank = [np.full_like(tiles[0], 255)] * (-len(tiles) % across)
    every = [*tiles, *blank]
    lines = [np.concatenate(every[k : k + across], 1) for k in range(0, len(every), across)]
    return np.concatenate(lines, 0)


def worked(
    model: Model,
    stimuli: Stimuli,
    targets: Sequence[Target],
    plan: Plan,
    files: RdmFiles | None,
    **asked: Any,
) -> dict[str, Any]:
    """Run a network and its controls on all pictures, and score them.

    Args:
        model: The network.
        stimuli: The pictures.
        targets: The areas.
        plan: The plan of the run.
        files: Where the RDMs are kept.
        asked: batch, largest, control, metrics, seed, draws, components.
    """
    with TemporaryDirectory() as folder:
        place, batch, largest = Path(folder), asked["batch"], asked["largest"]
        scored = model._replace(layers=tuple(plan.kept))
        layers = network_layers(scored, stimuli, place, batch, largest)
        notes: list[str] = []
        if asked["control"]:
            others, notes = controls_of(scored, stimuli, place, batch, largest, asked["seed"])
            layers += others
        found = measured(
            layers, targets, asked["metrics"], asked["seed"], asked["draws"], asked["components"],
            files,
        )  # fmt: skip
    return found | {"notes": notes}
