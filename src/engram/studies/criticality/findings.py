"""What the study reports."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engram.report import Figure, Report, Table
from engram.series import Series
from engram.stats import Interval, t_interval
from engram.studies.criticality.peak import over_seeds, peak, sign_flip

if TYPE_CHECKING:
    from engram.studies.criticality.study import Criticality

LABELS = {
    "CV": "CV",
    "CV2": "CV2",
    "Lv": "Lv",
    "r": "correlation of in-degree and CV",
    "susceptibility": "susceptibility",
    "AR(1)": "autocorrelation of one step",
}
Rows = Sequence[dict[str, Any]]


def runs_of(rows: Rows, name: str, seeds: int) -> list[list[float | None]]:
    """A measure by λ, for each seed; rows are by λ first."""
    return [[row[name] for row in rows[seed::seeds]] for seed in range(seeds)]


def report_peaks(
    report: Report,
    study: "Criticality",
    radii: Sequence[float],
    sweep: Rows,
    finite: Mapping[int, tuple[Sequence[float], Rows]],
) -> None:
    """(a) each measure's own peak, (b) the sign flip of r, (e) the peak of CV by size."""
    found = {name: over_seeds(peak, radii, runs_of(sweep, name, study.seeds)) for name in LABELS}
    flip = over_seeds(sign_flip, radii, runs_of(sweep, "r", study.seeds))
    places = {
        size: over_seeds(peak, near, runs_of(rows, "CV", study.seeds))
        for size, (near, rows) in finite.items()
    }
    at = found["CV"]
    largest = places[max(places)]
    if at is not None and largest is not None:
        report.answer(
            f"The irregularity CV peaks at λ = {at.estimate:.3f} (95% interval {at.low:.3f} to "
            f"{at.high:.3f}) with {study.nodes} nodes, and at {largest.estimate:.3f} "
            f"({largest.low:.3f} to {largest.high:.3f}) with {max(places)}; the critical point "
            "is 1."
        )
    section = report.section("Signs along λ")
    for name, label in LABELS.items():
        series = _by_radius(label, radii, runs_of(sweep, name, study.seeds))
        if series is not None:
            section.add(series, Figure(f"{label} by λ", [label], x_label="λ"))
    rows = [[LABELS[name], *_cells(one)] for name, one in found.items()]
    rows.append(["sign flip of the correlation", *_cells(flip)])
    section.add(
        Table(
            "Where each sign peaks",
            ["sign", "λ", "95% interval"],
            rows,
            "Each sign has its own peak. A peak at an end of the sweep is no peak.",
        )
    )
    report.section("Finite size").add(*_finite(places))


def _finite(places: dict[int, Interval | None]) -> list[Series | Figure | Table]:
    """The distance of the peak of CV from 1, by size."""
    known = {size: one for size, one in places.items() if one is not None}
    name = "|λ − 1| at the peak of CV"
    rows = [[size, *_cells(one), abs(one.estimate - 1)] for size, one in known.items()]
    table = Table(
        "Peak of CV by size", ["nodes", "λ", "95% interval", "|λ − 1|"], rows,
        "The total drive is the same for all sizes.",
    )  # fmt: skip
    if not known:
        return [table]
    distances = [abs(one.estimate - 1) for one in known.values()]
    series = Series(name, list(known), distances, axis="nodes")
    return [series, Figure(name, [name], x_label="nodes", x_log=True), table]


def report_stimulus(report: Report, found: dict[str, Any]) -> None:
    """(c) the Fano factor before and after the onset of a stimulus."""
    rows = []
    for radius in dict.fromkeys(row["radius"] for row in found["rows"]):
        here = [row for row in found["rows"] if row["radius"] == radius]
        cells = [_over([row[when] for row in here]) for when in ("before", "after")]
        rows.append([radius, *[cell for one in cells for cell in _cells(one)]])
    report.section("Onset of a stimulus").add(
        Table(
            "Fano factor across presentations",
            ["λ", "before", "interval", "after", "interval after"],
            rows,
            "Counts in the 50 steps before and after the onset, mean over the nodes; the interval "
            "is over the seeds.",
        )
    )


def report_avalanches(report: Report, found: dict[str, Any]) -> None:
    """(d) the exponents of avalanches."""
    rows = []
    for row in found["rows"]:
        sizes, durations, deviation = (row.get(k) for k in ("sizes", "durations", "deviation"))
        between = f"{row['range'][0]} to {row['range'][1]:g}" if "range" in row else ""
        rows.append(
            [row["radius"], row["number"], *_triple(sizes), between, *_triple(durations)[:1],
             *_triple(deviation), "; ".join(row["reasons"])]
        )  # fmt: skip
    report.section("Avalanches").add(
        Table(
            "Avalanches with a slow drive",
            ["λ", "number", "size exponent", "interval", "range", "duration exponent",
             "deviation", "interval of it", "against a power law"],
            rows,
            "One row per seed. Mean-field theory has 1.5, 2 and no deviation at λ = 1.",
        )
    )  # fmt: skip


def report_recordings(report: Report, recorded: dict[str, Any]) -> None:
    """The same estimators on recordings."""
    section = report.section("Recordings")
    if not recorded:
        section.note("No recording was measured: ENGRAM_DATA names no folder that has them.")
        return
    rows = [
        [label, one["units"], one["spikes"], *_triple(one["CV2"]), *_triple(one["m"]),
         *_triple(one["alpha"])[:1], *_triple(one["deviation"]), "; ".join(one["reasons"])]
        for label, one in recorded.items()
    ]  # fmt: skip
    section.add(
        Table(
            "Recordings",
            ["recording", "units", "spikes", "CV2", "interval", "branching ratio",
             "interval of m", "size exponent", "deviation", "interval of the deviation",
             "against criticality"],
            rows,
            "Bins are the mean interval between spikes. Surrogates are left out here: use engram "
            "critical measure for a verdict.",
        )
    )  # fmt: skip


def report_trained(report: Report, rows: Rows) -> None:
    """The read-out of a spiking network before and after training."""
    section = report.section("A trained network")
    shown = []
    for when in ("before", "after"):
        here = [row for row in rows if row["when"] == when]
        name = f"differing spikes, {when} training"
        section.add(Series(name, [r["layer"] for r in here], [r["changed"] for r in here], "layer"))
        shown.append(name)
    section.add(
        Figure(
            "Growth of a flipped input spike", shown, x_label="layer",
            y_label="differing spikes per image",
            caption="A network amplifies the change if the line rises.",
        )
    )  # fmt: skip
    section.add(
        Table(
            "Layers of the network",
            ["training", "layer", "rate", "differing spikes", "susceptibility", "accuracy (%)"],
            [[r["when"], r["layer"], r["rate"], r["changed"], r["susceptibility"], r["accuracy"]]
             for r in rows],
            "A network of four layers of LIF neurons reads digits as random spikes in 8 steps. "
            "One input spike of the first step is flipped in each of up to 256 test images.",
        )
    )  # fmt: skip


def _by_radius(
    label: str, radii: Sequence[float], runs: Sequence[Sequence[float | None]]
) -> Series | None:
    """The mean over seeds by λ, with the range of the seeds."""
    columns = [[x for x in values if x is not None] for values in zip(*runs, strict=True)]
    kept = [i for i, values in enumerate(columns) if values]
    if not kept:
        return None
    return Series(
        label,
        [radii[i] for i in kept],
        [float(np.mean(columns[i])) for i in kept],
        axis="λ",
        low=[min(columns[i]) for i in kept],
        high=[max(columns[i]) for i in kept],
    )


def _over(values: Sequence[float | None]) -> Interval | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return t_interval(known) if len(known) > 1 else Interval(known[0], known[0], known[0], 0.95)


def _cells(one: Interval | None) -> list[Any]:
    return [None, ""] if one is None else _triple(one[:3])


def _triple(found: Sequence[float] | None) -> list[Any]:
    if found is None:
        return [None, ""]
    estimate, low, high = found
    return [estimate, f"{low:.3f} to {high:.3f}"]
