"""What the study reports."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engram.report import Figure, Published, Report, Scalar, Table
from engram.series import Series
from engram.stats import holm

if TYPE_CHECKING:
    from engram.studies.visual_pathways.study import VisualPathways

Found = dict[str, Any]
PAPER = "arXiv 2303.06060"
PUBLISHED = (
    ("mouse", "RSA", 0.3303, 0.2946),
    ("macaque, faces", "RSA", 0.4248, 0.3617),
    ("macaque, synthetic", "RSA", 0.2275, 0.2350),
    ("mouse", "SVCCA", 0.6580, 0.6445),
    ("macaque, faces", "SVCCA", 0.5032, 0.4887),
    ("macaque, synthetic", "SVCCA", 0.4560, 0.4497),
    ("mouse", "TSVD-Reg", 0.3173, 0.2753),
    ("macaque, faces", "TSVD-Reg", 0.4904, 0.4806),
    ("macaque, synthetic", "TSVD-Reg", 0.5397, 0.5296),
)
"""SEW-ResNet-18 and ResNet-18, as published."""
CEILINGS = {"EVC": 0.1589, "IT": 0.3075}
"""Published upper ceilings R² of the 15 subjects."""


def report_all(report: Report, study: "VisualPathways", found: Mapping[str, Found]) -> None:
    """Fill the report.

    Args:
        report: The report.
        study: The settings.
        found: What was measured, by set of recordings or simulated pathway.
    """
    report.answer(answer(found))
    for name, one in found.items():
        section = report.section(name)
        section.add(*network_table(name, one["rows"]))
        if one["rises"]:
            section.add(rise_table(name, one["rises"], one["rows"]))
        section.add(*curves(name, one["curves"]))
        for area, value in one.get("squared", {}).items():
            if area in CEILINGS:
                paper = Published(CEILINGS[area], "arXiv 1905.05675")
                section.add(Scalar(f"upper ceiling of {area}, R²", value, published=paper))
    real = [name for name in found if not name.startswith("simulated")]
    if real:
        report.section("Published differences").add(
            published_table({name: one for name, one in found.items() if name in real})
        )
    for note in notes(study, found):
        report.note(note)


def row_of(one: Found, area: str, network: str, metric: str = "rsa") -> Found | None:
    """The row of a network in an area."""
    fits = (row for row in one["rows"] if (row["area"], row["metric"]) == (area, metric))
    return next((row for row in fits if row["network"] == network), None)


def networks_of(one: Found) -> list[str]:
    """Names of the networks that have several layers, the first one first."""
    return list(dict.fromkeys(curve["network"] for curve in one["curves"]))


def answer(found: Mapping[str, Found]) -> str:
    """One sentence on the twin with the most steps, and one on the depth of the best layers."""
    name, one = next(iter(found.items()))
    area = one["rows"][-1]["area"]
    names = networks_of(one)
    twins = [network for network in names if "twin" in network]
    first, twin = row_of(one, area, names[0]), row_of(one, area, twins[-1])
    if first is None or twin is None:
        return f"{name}: no layer could be scored."
    middle, low, high = twin["difference"]
    said = (
        f"{name}, {area}: {names[0]} {first['value'][0]:.3f}, {twins[-1]} {twin['value'][0]:.3f}, "
        f"difference {middle:+.3f} (95% interval {low:+.3f} to {high:+.3f})"
    )
    for rise in one["rises"]:
        if rise["network"] == "":
            middle, low, high = rise["rise"]
            last = rise
            said_rise = (
                f"the best layer of {names[0]} is {middle:+.2f} of the depth deeper in "
                f"{last['second']} than in {last['first']} ({low:+.2f} to {high:+.2f})"
            )
            return f"{said}; {said_rise}."
    return f"{said}."


def _between(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{interval[1]:.3f} to {interval[2]:.3f}"


def network_table(name: str, rows: Sequence[Found]) -> list[Table]:
    """The best layer of each network and control, by area."""
    known = np.array([np.nan if row["p"] is None else row["p"] for row in rows])
    adjusted = holm(known)
    cells = []
    for row, p in zip(rows, adjusted, strict=True):
        normalised, difference = row["normalised"], row["difference"]
        cells.append(
            [
                row["area"], row["metric"], row["network"], row["layer"], row["depth"],
                row["value"][0], _between(row["value"]),
                f"{normalised[0]:.3f}" if normalised is not None else row["no_ceiling"],
                None if difference is None else difference[0], _between(difference),
                None if np.isnan(p) else float(p),
            ]
        )  # fmt: skip
    columns = [
        "area", "metric", "network or control", "best layer", "depth", "score", "95% interval",
        "of the ceiling", "difference", "its interval", "p",
    ]  # fmt: skip
    return [
        Table(
            f"Best layers: {name}",
            columns,
            cells,
            "The difference is from the first network, paired over stimuli and subjects or "
            "neurons; p is adjusted by Holm over the table.",
        )
    ]


def rise_table(name: str, rises: Sequence[Found], rows: Sequence[Found]) -> Table:
    """How the depth of the best layer changes from the first area to the others."""
    first = rows[0]["network"]
    cells = [
        [
            one["network"] or first, one["metric"], one["first"], one["second"], *one["depths"],
            one["rise"][0], _between(one["rise"]),
            verdict(one["rise"]),
        ]
        for one in rises
    ]  # fmt: skip
    columns = ["network", "metric", "from", "to", "depth", "depth in the other", "rise",
               "95% interval", "verdict"]  # fmt: skip
    return Table(
        f"Depth of the best layer: {name}",
        columns,
        cells,
        "The paper finds a rise from early to late areas in primates and none in the mouse. The "
        "interval is over stimuli and subjects or neurons.",
    )


def verdict(rise: Sequence[float]) -> str:
    """Whether an interval of a rise lies above, below or around 0."""
    if rise[1] > 0:
        return "rises"
    return "falls" if rise[2] < 0 else "no rise shown"


def curves(name: str, found: Sequence[Found]) -> list[Series | Figure]:
    """A figure of each area and metric: score by depth for each network."""
    items: list[Series | Figure] = []
    for area, metric in dict.fromkeys((one["area"], one["metric"]) for one in found):
        title = f"{name}, {area}, {metric}"
        own = [one for one in found if (one["area"], one["metric"]) == (area, metric)]
        drawn = []
        for place, one in enumerate(own):
            columns = [[None if v is None else v[k] for v in one["values"]] for k in range(3)]
            places = np.linspace(0, 1, len(columns[0]))
            low, high = (columns[1], columns[2]) if place == 0 else (None, None)
            label = f"{title}: {one['network']}"
            drawn.append(Series(label, places, columns[0], axis="depth", low=low, high=high))
        items += drawn
        caption = "The band is the 95% interval of the first network."
        items.append(
            Figure(title, [one.name for one in drawn], x_label="depth", y_label="score",
                   caption=caption)
        )  # fmt: skip
    return items


def published_table(found: Mapping[str, Found]) -> Table:
    """The published differences between a spiking network and an artificial one, and ours."""
    pairs = [(data, f"{metric}, {PAPER}", one, two) for data, metric, one, two in PUBLISHED]
    for name, one in found.items():
        names = networks_of(one)
        twins = [network for network in names if "twin" in network]
        for area, metric in dict.fromkeys((row["area"], row["metric"]) for row in one["rows"]):
            ours = [row_of(one, area, network, metric) for network in (twins[-1], names[0])]
            values = [row["value"][0] for row in ours if row is not None]
            if len(values) == 2:
                pairs.append((f"{name}, {area}", f"{metric}, ours", values[0], values[1]))
    rows = [
        [data, metric, spiking, artificial, spiking - artificial, 100 * (spiking / artificial - 1)]
        for data, metric, spiking, artificial in pairs
    ]
    return Table(
        "A spiking network less an artificial one, published and ours",
        ["recordings", "metric", "spiking", "artificial", "difference", "percent"],
        rows,
        "Published: SEW-ResNet-18 and ResNet-18, each trained on ImageNet for itself. Ours: the "
        "twin with the most steps and Lite0, of equal weights; other recordings, other layers, "
        "Spearman's ρ with mean ranks, no reduction of the responses. Over five depths the paper's "
        "RSA differs by +4.0 and +6.9 % in the macaque and +24 % in the mouse. A percentage "
        "depends on the chance level, which is not 0 for SVCCA: compare differences.",
    )


def notes(study: "VisualPathways", found: Mapping[str, Found]) -> list[str]:
    """What was done, and what was not."""
    said = []
    real = [name for name in found if not name.startswith("simulated")]
    if not real:
        said.append(
            "There are no recordings in the folder named by ENGRAM_DATA (or they were not wanted): "
            "this is a simulated cortex. Each area is a sample of units of one layer of a known "
            f"network of random weights, with noise; {study.subjects} subjects of "
            f"{study.neurons} neurons, {study.stimuli} pictures. It shows that the pipeline ranks "
            "the true model first and finds the hierarchy that was put in, and says nothing about "
            "brains."
        )
    else:
        said.append(
            f"The twins have the weights of Lite0 without training and run as {study.scheme}; "
            "quantised activations equal the spikes of integrate-then-fire neurons up to rounding. "
            "Lite0 was trained on ImageNet, which the untrained network was not."
        )
    if "92 photographs" in real:
        said.append(
            "92 photographs: Kriegeskorte et al. (2008) on grey; early visual cortex (EVC) and IT "
            "of 15 people (Cichy et al. 2014), IT of monkeys as one RDM, which has no ceiling. "
            "Animacy and category are labels of the photographs, not seen by a network."
        )
    if "mouse scenes" in real:
        said.append(
            "Mouse: two-photon recordings of the Allen Brain Observatory as one RDM per area, the "
            "mean over cortical layers without layer 6, and without layers 4 and 5 of VISrl; "
            "scenes of 31 × 31 pixels, scaled up, without the contrast normalisation of the "
            "experiment. No ceiling over subjects: the RDMs are pooled over mice."
        )
    said.append(
        f"Scores are Spearman's ρ of RDMs, averaged over subjects; {study.draws} resamples of the "
        "stimuli. The best layer is chosen by its score for every network alike, so that all are "
        "too high by that choice."
    )
    return said
