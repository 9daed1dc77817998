"""What a score reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from engram.report import Figure, Picture, Report, Table
from engram.series import Series
from engram.similarity.profile import REFITS

if TYPE_CHECKING:
    from engram.studies.similarity_score.study import SimilarityScore

LABELS = {
    "rsa": "RSA (Spearman)",
    "ridge": "ridge, leave-one-out",
    "svcca": "SVCCA",
    "cka": "debiased CKA",
    "procrustes": "Procrustes",
}
SIDE = 150
"""Stimuli at most in the picture of an RDM; more are averaged in blocks."""
Found = dict[str, Any]


def report_all(
    report: Report,
    study: "SimilarityScore",
    found: Found,
    notes: Sequence[str],
    folder: Path | None,
) -> None:
    """Fill the report.

    Args:
        report: The report.
        study: The settings.
        found: What the piece of work returned.
        notes: What was done to the model and the pictures.
        folder: Where the RDMs are; None if nothing was written.
    """  # fmt: skip
    report.answer(answer(found))
    areas = report.section("Areas")
    areas.add(area_table(found["profiles"]), target_table(found["targets"]))
    if found["tests"]:
        areas.add(tests_table(found["tests"]))
    if found["trends"]:
        areas.add(trend_table(found["trends"]))
    for profile in found["profiles"]:
        report.section("Layers").add(*curve(profile, target_of(found, profile)))
    report.section("Layers").add(layer_table(found["profiles"]))
    if folder is not None and study.save_rdms:
        pictures = rdm_pictures(folder / "rdms.npz", found)
        if pictures:
            report.section("RDMs").add(*pictures)
    for note in dict.fromkeys([*notes, *found["notes"]]):
        report.note(f"{note[0].upper()}{note[1:]}.")
    recorded = report.section("The recording")
    held = [target["notes"] for target in found["targets"]]
    for note in dict.fromkeys(note for notes in held for note in notes):
        where = [one["name"] for one in found["targets"] if note in one["notes"]]
        recorded.note(f"{note}." if len(where) == len(held) else f"{', '.join(where)}: {note}.")
    report.note(methods(study, found))


def target_of(found: Found, profile: Found) -> Found:
    """The target of a profile."""
    return next(one for one in found["targets"] if one["name"] == profile["area"])


def best_row(profile: Found, control: str = "") -> Found | None:
    """The best layer of the model, or of a control."""
    rows = [row for row in profile["layers"] if row["control"] == control and "value" in row]
    return max(rows, key=lambda row: row["value"][0], default=None)


def depth_of(profile: Found, layer: str) -> float:
    """The place of a layer among those of the model, from 0 to 1."""
    names = [row["layer"] for row in profile["layers"] if not row["control"]]
    return names.index(layer) / max(1, len(names) - 1)


def answer(found: Found) -> str:
    """One sentence with the best score of each area by the first metric."""
    parts = []
    metric = found["profiles"][0]["metric"] if found["profiles"] else ""
    for profile in found["profiles"]:
        best = best_row(profile)
        if profile["metric"] != metric or best is None:
            continue
        value, low, high = best["value"]
        parts.append(f"{profile['area']}: {value:.3f} ({low:.3f} to {high:.3f}) at {best['layer']}")
    if not parts:
        return "No layer could be scored; the table of layers has the reasons."
    return f"{LABELS[metric]} of the best layer, with 95% interval: {'; '.join(parts)}."


def _between(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{interval[1]:.3f} to {interval[2]:.3f}"


def area_table(profiles: Sequence[Found]) -> Table:
    """A row per area and metric."""
    rows = []
    for one in profiles:
        best, label = best_row(one), LABELS[one["metric"]]
        if best is None:
            why = "; ".join(dict.fromkeys(row["reason"] for row in one["layers"]))
            rows.append([one["area"], label, f"none: {why}", *[None] * 4, "", None, "", "", None])
            continue
        normalised = best["normalised"]
        rows.append(
            [
                one["area"], label, best["layer"], depth_of(one, best["layer"]),
                None if one["nested"] is None else one["nested"][0], best["value"][0],
                one["chance"][0], _between(best["value"]), best["corrected"][0],
                "" if normalised is None else f"{normalised[0]:.3f}",
                _between(normalised) or best["no_ceiling"],
                None if one["nested"] is None else round(best["value"][0] - one["nested"][0], 4),
            ]
        )  # fmt: skip
    columns = [
        "area", "metric", "best layer", "depth", "chosen on other stimuli", "score", "chance",
        "95% interval", "above chance", "of the ceiling", "its interval, or why there is none",
        "gain by choosing",
    ]  # fmt: skip
    return Table(
        "Scores by area",
        columns,
        rows,
        "The best layer is chosen by the score itself, which is too high by that choice; the score "
        "chosen on other stimuli is of the layer that one half of the stimuli chose, measured on "
        "the other half. Above chance is (score − chance) / (1 − chance). Of the ceiling is the "
        "score divided once by the root of the reliability.",
    )


def target_table(targets: Sequence[Found]) -> Table:
    """What is known of each area."""
    rows = []
    for one in targets:
        ceiling = one["ceiling"]
        of_rdm, of_neurons = one["rdm_reliability"], one["reliability"]
        rows.append(
            [
                one["name"], one["stimuli"], len(one["subjects"]), one["neurons"] or None,
                None if ceiling is None else ceiling[0], None if ceiling is None else ceiling[1],
                None if ceiling is None else 1 / ceiling[2],
                *(said if isinstance(said, str) else f"{said[0]:.3f} [{said[1]:.3f}, {said[2]:.3f}]"
                  for said in (of_rdm, of_neurons)),
            ]
        )  # fmt: skip
    columns = [
        "area", "stimuli", "subjects", "neurons", "lower ceiling", "upper ceiling",
        "own share of the mean", "reliability of the RDM", "reliability of neurons",
    ]  # fmt: skip
    return Table(
        "The recording by area",
        columns,
        rows,
        "Ceilings are over subjects: the mean similarity of a subject with the mean of the others "
        "(lower) and of all (upper). Subjects that share nothing have an upper ceiling, squared, "
        "of about each one's own share of the mean.",
    )


def tests_table(tests: Sequence[Found]) -> Table:
    """The best layer against the controls."""
    rows = [
        [
            one["area"], LABELS[one["metric"]], one["best"], f"{one['control']}: {one['layer']}",
            one["difference"][0], _between(one["difference"]), one["adjusted"],
        ]
        for one in tests
    ]  # fmt: skip
    return Table(
        "The best layer against controls",
        ["area", "metric", "layer", "best layer of the control", "difference", "95% interval", "p"],
        rows,
        "Paired over stimuli and subjects or neurons; p is adjusted for all rows by Holm.",
    )


def trend_table(trends: Sequence[Found]) -> Table:
    """How the depth of the best layer changes from area to area."""
    rows = [
        [LABELS[one["metric"]], one["first"], one["second"], *one["depths"], one["rise"][0],
         _between(one["rise"])]
        for one in trends
    ]  # fmt: skip
    columns = [
        "metric",
        "from",
        "to",
        "depth of the best layer",
        "in the other",
        "rise",
        "95% interval",
    ]
    return Table(
        "Depth of the best layer from area to area",
        columns,
        rows,
        "Depth is 0 at the first layer and 1 at the last. The best layer is found again in each "
        "resample of stimuli and units.",
    )


def layer_table(profiles: Sequence[Found]) -> Table:
    """Every layer, with its reason where it has no score."""
    rows = [_layer_row(one, row) for one in profiles for row in one["layers"]]
    columns = [
        "area", "metric", "network", "layer", "score", "95% interval", "above chance",
        "of the ceiling", "remark",
    ]  # fmt: skip
    caption = (
        "SVCCA, CKA and Procrustes have an interval at the best layer only. A layer without a "
        "score has the reason."
    )
    return Table("Scores by layer", columns, rows, caption)


def _layer_row(profile: Found, row: Found) -> list[str | float | None]:
    start = [profile["area"], LABELS[profile["metric"]], row["control"] or "model", row["layer"]]
    if "value" not in row:
        return [*start, None, "", None, None, row["reason"]]
    value, normalised = row["value"], row["normalised"]
    between = _between(value) if value[1] < value[2] else ""
    ceiled = None if normalised is None else normalised[0]
    return [*start, value[0], between, row["corrected"][0], ceiled, ""]


def curve(profile: Found, target: Found) -> list[Series | Figure]:
    """The score by depth, with the bands of the ceiling and of chance, and the controls."""
    title = f"{profile['area']}: {LABELS[profile['metric']]}"
    own = [row for row in profile["layers"] if not row["control"]]
    if best_row(profile) is None:
        return []
    places = np.linspace(0, 1, len(own)) if len(own) > 1 else np.zeros(1)
    drawn = [_series(f"{title}, model", places, own)]
    other = [row for row in profile["layers"] if row["control"] == "untrained"]
    if len(other) == len(own):
        drawn.append(_series(f"{title}, untrained", places, other))
    ends = [0.0, 1.0]
    for row in profile["layers"]:
        if row["control"] == "pixels" and "value" in row:
            drawn += [Series(f"{title}, pixels", ends, [row["value"][0]] * 2, axis="depth")]
    chance = profile["chance"]
    drawn.append(
        Series(f"{title}, chance", ends, [chance[0]] * 2, axis="depth",
               low=[chance[1]] * 2, high=[chance[2]] * 2)
    )  # fmt: skip
    level = _ceiling_series(f"{title}, ceiling", profile["metric"], target)
    drawn += [level] if level is not None else []
    caption = (
        "Bands are 95% intervals of the model; of chance, the middle 95% of scores with the "
        "stimuli in random order; and the ceiling."
    )
    if level is None:
        said = target["rdm_reliability" if profile["metric"] == "rsa" else "reliability"]
        metric = profile["metric"] in ("rsa", "ridge")
        caption += f" {said if metric and isinstance(said, str) else 'There is no ceiling'}."
    figure = Figure(title, [one.name for one in drawn], x_label="depth", y_label="score",
                    caption=caption.replace("..", "."))  # fmt: skip
    return [*drawn, figure]


def _series(name: str, places: np.ndarray, rows: Sequence[Found]) -> Series:
    held = [row.get("value") for row in rows]
    columns = [[None if one is None else one[k] for one in held] for k in range(3)]
    spread = any(one is not None and one[1] < one[2] for one in held)
    low, high = (columns[1], columns[2]) if spread else (None, None)
    return Series(name, places, columns[0], axis="depth", low=low, high=high)


def _ceiling_series(name: str, metric: str, target: Found) -> Series | None:
    """The band between the ceilings over subjects, or the root of the reliability."""
    ends = [0.0, 1.0]
    if metric == "rsa" and target["ceiling"] is not None:
        low, high = sorted(target["ceiling"][:2])
        middle = (low + high) / 2
        return Series(name, ends, [middle] * 2, axis="depth", low=[low] * 2, high=[high] * 2)
    said = target["rdm_reliability"] if metric == "rsa" else target["reliability"]
    if metric not in ("rsa", "ridge") or isinstance(said, str) or said[1] <= 0:
        return None
    middle, low, high = np.sqrt(said).tolist()
    return Series(name, ends, [middle] * 2, axis="depth", low=[low] * 2, high=[high] * 2)


def rdm_pictures(path: Path, found: Found) -> list[Picture]:
    """The mean RDM of each area, and that of its best layer."""
    pictures, seen = [], set()
    with np.load(path, allow_pickle=False) as file:
        for one in found["targets"]:
            mean = file[f"area/{one['name']}"].mean(0)
            about = f"mean of {len(one['subjects'])} subject(s)"
            pictures.append(rdm_picture(f"RDM of {one['name']}", mean, about))
        for profile in found["profiles"]:
            layer = profile["best"]
            if layer is None or layer in seen:
                continue
            seen.add(layer)
            rdm = file[f"layer/{layer}"]
            pictures.append(rdm_picture(f"RDM of layer {layer}", rdm, "a best layer"))
    return pictures


def rdm_picture(title: str, rdm: np.ndarray, about: str) -> Picture:
    """Percentile ranks of an RDM in colours.

    Args:
        title: What it is.
        rdm: `(pairs)`.
        about: What it is the RDM of, for the caption.
    """
    from matplotlib import colormaps  # noqa: PLC0415

    square = squareform(rankdata(rdm) / len(rdm), checks=False)
    count = len(square)
    step = -(-count // SIDE)
    if step > 1:
        starts = np.arange(0, count, step)
        sums = np.add.reduceat(np.add.reduceat(square, starts, 0), starts, 1)
        sizes = np.diff(np.append(starts, count))
        square = sums / np.outer(sizes, sizes)
    pixels = (colormaps["viridis"](square)[..., :3] * 255).round().astype(np.uint8)
    averaged = f" Blocks of {step} × {step} are averaged." if step > 1 else ""
    return Picture.of(
        title, pixels,
        f"Ranks of the dissimilarities of {count} stimuli, {about}: dark is similar, bright is "
        f"dissimilar.{averaged}",
    )  # fmt: skip


def methods(study: "SimilarityScore", found: Found) -> str:
    """A paragraph for a paper."""
    used = {one["metric"] for one in found["profiles"]}
    parts = [f"Methods: features of {study.model} were compared with {Path(study.recording).name}."]
    if "rsa" in used:
        parts.append(
            "RDMs are 1 − Pearson's correlation between patterns, compared by Spearman's ρ over "
            "the upper triangle, averaged over subjects."
        )
    if "ridge" in used:
        parts.append(
            "Each neuron was predicted by ridge regression with every stimulus left out in turn "
            "and the penalty chosen without it; the score is the mean Pearson correlation."
        )
    if "svcca" in used:
        parts.append(
            f"SVCCA is the mean canonical correlation of {study.components} principal components; "
            "its chance level is that of independent Gaussian features (Wachter 1980)."
        )
    if used & {"cka", "procrustes"}:
        parts.append("CKA is linear and debiased; Procrustes is the cosine after rotation.")
    parts.append(
        f"Intervals (95%) are from {study.draws} bootstrap samples of the stimuli and the variance "
        "over subjects or neurons, corrected for counting both (Schütt et al. 2023); those of "
        "SVCCA, CKA and Procrustes are from a jackknife. Chance is the mean over 200 permutations "
        f"of the stimuli for RSA and over {REFITS} refits for ridge, CKA and Procrustes. Scores "
        "were divided once by the root of the reliability where its interval lies above 0. "
        "Measured with Engram."
    )
    return " ".join(parts)
