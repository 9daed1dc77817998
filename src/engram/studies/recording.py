"""Is a recording of spikes near a critical point? Irregularity, branching, avalanches, one rule."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, final

import numpy as np
from tyro.conf import Positional

from engram import data
from engram.critical.measure import (
    Scaling,
    Verdict,
    bin_sweep,
    branching,
    dfa,
    fano_windowed,
    irregularity,
    judge,
    kappa,
    ma2019,
    mean_interval,
    susceptibility,
)
from engram.critical.measure.quality import notices
from engram.data.recording import Options, read_recording
from engram.errors import EngramError
from engram.journal import Journal
from engram.report import Report, Scalar, Table
from engram.spikes import Spikes
from engram.studies.avalanche_figures import crackling_figure, law_figure, raster
from engram.study import check_at_least

MEASURES = {
    "CV": "coefficient of variation of the intervals",
    "CV2": "of neighbouring intervals, Holt et al. 1996",
    "Lv": "local variation, Shinomoto et al. 2003",
    "LvR": "local variation without refractoriness of 5 ms, Shinomoto et al. 2009",
}
FANO_S = 1.0
"""Window of the Fano factor, in seconds."""


@final
@dataclass(frozen=True)
class RecordingCriticality:
    """Measure irregularity and criticality of a recording.

    Args:
        path: The recording: NWB, HDF5 of trains, csv, tsv, npy, or a folder of Phy or Kilosort.
        time_unit: Unit of the times of a table: s, ms, us or samples.
        rate_hz: Samples per second, where times are numbers of samples.
        dt_s: Width of a bin of a raster, in seconds.
        time_axis: Axis of a raster along which time runs; None takes the longer one.
        duration_s: Duration of the recording, in seconds; None takes it from the file.
        groups: Groups of sorted clusters to read from a folder of Phy or Kilosort.
        bin_s: Width of a bin of the avalanches, in seconds; None takes the mean interval between
            spikes of all units, or the bins of a raster.
        quantile: An avalanche is a run of bins above this quantile of the activity; 0 is a
            threshold of no spikes.
        surrogates: Number of recordings with shifted trains, 19 or more.
        draws: Number of samples of each bootstrap.
        seed: Seed of the surrogates and the bootstraps.
    """

    name: ClassVar[str] = "critical-measure"
    title: ClassVar[str] = "Irregularity and criticality of a recording"
    question: ClassVar[str] = "Does the recording show criticality?"

    path: Positional[str]
    time_unit: Literal["s", "ms", "us", "samples"] | None = None
    rate_hz: float | None = None
    dt_s: float | None = None
    time_axis: Literal[0, 1] | None = None
    duration_s: float | None = None
    groups: tuple[str, ...] = ("good",)
    bin_s: float | None = None
    quantile: float = 0.0
    surrogates: int = 19
    draws: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least(19, surrogates=self.surrogates)
        check_at_least(20, draws=self.draws)
        if not 0 <= self.quantile < 1:
            raise EngramError(f"quantile={self.quantile}: give 0 to below 1")
        self._options()

    def _options(self) -> Options:
        return Options(
            self.time_unit,
            self.rate_hz,
            self.dt_s,
            self.time_axis,
            self.duration_s,
            self.groups,
        )

    def run(self, report: Report, journal: Journal) -> None:
        """Read the recording, measure it, and judge it.

        Raises:
            ValueError: If it cannot be read, or has too few spikes.
        """
        journal.expect(1)
        recording = read_recording(self.path, self._options())
        spikes, path = recording.spikes, Path(self.path)
        report.title = path.name
        if path.is_file():
            report.provenance.data[path.name] = data.sha256_of(path)
        rng = np.random.default_rng(self.seed)
        bin_s = self.bin_s or spikes.dt_s or mean_interval(spikes)
        verdict = judge(
            spikes, rng, bin_s, self.quantile, surrogates=self.surrogates, draws=self.draws
        )
        report.answer(answer(path.name, verdict))
        about = report.section("The recording")
        about.add(*described(spikes))
        for note in (*recording.notes, *notices(spikes, rng)):
            about.note(f"{note[0].upper()}{note[1:]}.")
        about.add(*raster(spikes))
        report.section("Irregularity").add(*irregular(spikes))
        report.section("Population").add(*population(spikes, bin_s, rng, self.draws))
        self._report_avalanches(report, spikes, verdict, rng)
        report.note(methods(self, verdict))

    def _report_avalanches(
        self, report: Report, spikes: Spikes, verdict: Verdict, rng: np.random.Generator
    ) -> None:
        section, ours = report.section("Avalanches"), verdict.scaling
        reasons = verdict.reasons or ["none: the rule is met"]
        try:
            section.add(Scalar("κ of the sizes against an exponent of 1.5", kappa(ours.found.size)))
        except EngramError as error:
            section.note(f"{str(error)[0].upper()}{str(error)[1:]}.")
        section.add(
            Table(
                "Why",
                ["reason against criticality"],
                [[reason] for reason in reasons],
                "Criticality is shown if the power law of the sizes beats a lognormal and an "
                "exponential, the interval of the deviation from the crackling relation contains "
                "0, and surrogates with shifted trains do neither.",
            )
        )
        swept = bin_sweep(spikes, rng, ours.bin_s, self.quantile, draws=self.draws)
        section.add(
            Table(
                "Avalanches by the width of the bins",
                ["bin (ms)", "avalanches", "size exponent", "95% interval", "range",
                 "p of the fit", "duration exponent", "p of its fit", "deviation",
                 "95% interval of it", "remark"],
                [row(one) for one in swept],
                "All widths are shown; none was chosen by the quality of its fit. The deviation is "
                "(β − 1)/(α − 1) less the fitted slope of size on duration. p is the share of "
                "samples of the fitted law that lie as far from it as the data; a small one speaks "
                "against the law.",
            )
        )  # fmt: skip
        if ours.sizes is not None and ours.durations is not None:
            section.add(*law_figure("size", ours.found.size, ours.sizes.law))
            section.add(*law_figure("duration", ours.found.duration, ours.durations.law))
            section.add(*crackling_figure(ours))
        try:
            section.add(published(ours))
        except EngramError as error:
            section.note(f"{str(error)[0].upper()}{str(error)[1:]}.")


def answer(name: str, verdict: Verdict) -> str:
    """One sentence with the deviation and its interval."""
    if verdict.critical:
        said = f"{name} shows criticality"
    else:
        said = f"Criticality is not shown in {name}: {verdict.reasons[0]}"
    relation = verdict.scaling.crackling
    if relation is None:
        return f"{said}."
    deviation = relation.deviation
    return (
        f"{said}. The deviation from the crackling relation is {deviation.estimate:.3f} (95% "
        f"interval {deviation.low:.3f} to {deviation.high:.3f})."
    )


def described(spikes: Spikes) -> list[Scalar]:
    """The size of a recording."""
    return [
        Scalar("units", spikes.n_unit),
        Scalar("spikes", spikes.n_spike),
        Scalar("duration", spikes.duration_s, "s"),
        Scalar("mean rate of a unit", float(spikes.firing_rate_hz.mean()), "Hz"),
    ]


def irregular(spikes: Spikes) -> list[Table]:
    """The measures of irregularity: means over units, with intervals."""
    rows: list[list[Any]] = []
    for measure, meaning in MEASURES.items():
        try:
            found = irregularity(spikes, measure)
        except EngramError as error:
            rows.append([measure, meaning, 0, None, str(error)])
            continue
        mean = found.mean
        kept = int(np.isfinite(found.values).sum())
        rows.append([measure, meaning, kept, mean.estimate, f"{mean.low:.3f} to {mean.high:.3f}"])
    if spikes.duration_s >= 10 * FANO_S and (spikes.dt_s or 0) < FANO_S:
        window = FANO_S if spikes.dt_s is None else round(FANO_S / spikes.dt_s) * spikes.dt_s
        values = fano_windowed(spikes, window)
        values = values[np.isfinite(values)]
        if len(values):
            low, high = np.quantile(values, [0.25, 0.75])
            meaning = f"Fano factor of counts in windows of {window:g} s; quartiles of the units"
            rows.append(
                ["Fano", meaning, len(values), float(values.mean()), f"{low:.3f} to {high:.3f}"]
            )
    caption = "A Poisson process has 1 in each. Mean over units, with Student's 95% interval."
    return [
        Table("Irregularity", ["measure", "meaning", "units", "mean", "interval"], rows, caption)
    ]


def population(
    spikes: Spikes, bin_s: float, rng: np.random.Generator, draws: int
) -> list[Scalar | Table]:
    """The branching ratio and the susceptibility of the population."""
    activity = spikes.population(bin_s)
    items: list[Scalar | Table] = [Scalar("bins", bin_s * 1000, "ms")]
    refused = []
    try:
        found = branching(activity, rng, draws=draws)
        ratio = found.ratio
        items += [
            Scalar("branching ratio", ratio.estimate, low=ratio.low, high=ratio.high),
            Scalar("slope of one step, which subsampling biases", found.naive),
        ]
    except EngramError as error:
        refused.append(["branching ratio", str(error)])
    items.append(Scalar("susceptibility", susceptibility(activity, spikes.n_unit)))
    try:
        # windows do not reach from one trial into another
        exponent = dfa(activity[0], rng, draws=draws).exponent
        items.append(
            Scalar(
                f"DFA exponent{' of the first trial' if len(activity) > 1 else ''}",
                exponent.estimate,
                low=exponent.low,
                high=exponent.high,
            )
        )
    except EngramError as error:
        refused.append(["DFA exponent", str(error)])
    if refused:
        items.append(Table("Not measured", ["measure", "reason"], refused))
    return items


def row(one: Scaling) -> list[Any]:
    """A row of the table of bin widths."""
    start = [1000 * one.bin_s, len(one.found.size)]
    if one.sizes is None or one.durations is None or one.crackling is None:
        return [*start, None, "", "", None, None, None, None, "", one.refused]
    law, alpha, deviation = one.sizes.law, one.sizes.alpha, one.crackling.deviation
    return [
        *start,
        alpha.estimate,
        f"{alpha.low:.3f} to {alpha.high:.3f}",
        f"{law.xmin} to {law.xmax:g}",
        one.sizes.p,
        one.durations.alpha.estimate,
        one.durations.p,
        deviation.estimate,
        f"{deviation.low:.3f} to {deviation.high:.3f}",
        "; ".join(one.reasons),
    ]


def published(ours: Scaling) -> Table:
    """The numbers by the procedure of Ma et al. (2019), which other work can be compared with."""
    found = ma2019(ours.found)
    rows = [
        ["avalanches", str(found.n), ""],
        ["size exponent", f"{found.alpha:.4f}", f"{found.size_min} to {found.size_max}"],
        ["duration exponent", f"{found.beta:.4f}", f"{found.duration_min} to {found.duration_max}"],
        ["fitted slope", f"{found.slope:.4f}", ""],
        ["deviation", f"{found.deviation:.5f}", ""],
    ]
    return Table(
        "By the procedure of Ma et al. (2019)",
        ["number", "value", "range"],
        rows,
        "Neuron 104(4). It normalises over the observed values and drops the largest ones until "
        "the law fits, and gives no interval: use it to compare with published numbers.",
    )


def methods(study: RecordingCriticality, verdict: Verdict) -> str:
    """A paragraph for a paper."""
    ours = verdict.scaling
    threshold = (
        f"the {100 * study.quantile:g}th percentile of the activity"
        if study.quantile
        else "no spikes"
    )
    return (
        f"Methods: avalanches are runs of bins of {1000 * ours.bin_s:.4g} ms with activity above "
        f"{threshold}. Exponents are maximum-likelihood estimates of a discrete power law bounded "
        "to [xmin, xmax], both of which were scanned for the widest range with a "
        "Kolmogorov–Smirnov distance of at most 0.8/√n; intervals (95%) are from "
        f"{study.draws} bootstrap samples, for each of which the range was scanned again. The law "
        "was compared with a lognormal and an exponential by BIC on the same range. Surrogates: "
        f"{study.surrogates} recordings whose trains were shifted in time independently. The "
        "branching ratio is the multistep regression of Wilting and Priesemann (2018), whose "
        "interval is from simulated linear processes. Measured with Engram."
    )
