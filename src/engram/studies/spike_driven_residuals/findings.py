"""Results of the runs: accuracy, verdicts, operations, energy, firing, and the paper's claim."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any, final

from engram.energy.appraisal import MICRO
from engram.report import Figure, Published, Report, Scalar, Table
from engram.series import Series
from engram.stats import t_interval
from engram.studies.comparison.accuracy import Accuracy, signed
from engram.studies.comparison.runs import Outcomes
from engram.studies.spike_driven_residuals.network import NETWORKS

CLAIM = Published(
    60.34,
    "arXiv 2304.11954: 7.463 mJ against 18.819 mJ, 8-512 on ImageNet",
    "other images and far larger networks; see the notes",
)
"""The energy saving of Spikingformer relative to Spikformer."""
WAYS = {
    "paper": "the papers' formula",
    "compute": "executed arithmetic",
    "memory": "with membranes and memory",
}
"""The cost models that are compared with the claim."""


@final
class Findings:
    """Results of the networks.

    Args:
        outcomes: Results by network and training.
        examples: Number of test images.
        seed: Seed of the bootstrap.
    """

    def __init__(self, outcomes: Outcomes, examples: int, seed: int) -> None:
        labels = {name: NETWORKS[name].label for name in outcomes}
        self.outcomes = outcomes
        self.accuracy = Accuracy(outcomes, examples, seed, labels, "network")

    def report(self, report: Report) -> None:
        """Report all findings."""
        self.report_accuracy(report)
        self.report_verdicts(report)
        self.report_operations(report)
        self.report_energy(report)
        self.report_firing(report)
        self.report_claim(report)

    def report_accuracy(self, report: Report) -> None:
        """Report the accuracy of the networks, and the differences from the first."""
        accuracy = self.accuracy
        report.add(
            accuracy.table(
                "Accuracy",
                {
                    "residuals add": [NETWORKS[name].adds for name in self.outcomes],
                    "parameters": [runs[0]["parameters"] for runs in self.outcomes.values()],
                },
                {},
                "Mean over the trainings. The 95% interval resamples both trainings and test "
                "images; a few trainings give little information about the variation between them.",
            ),
            accuracy.series("test accuracy", "%", accuracy.intervals),
            Figure("Test accuracy", ["test accuracy"], "interval", caption="95% intervals."),
        )
        first = next(iter(self.outcomes))
        if gains := accuracy.differences(first):
            title = f"Paired difference from {accuracy.labels[first]}"
            caption = "Test accuracy, on the same images."
            report.add(accuracy.difference_table(title, gains, caption))

    def report_verdicts(self, report: Report) -> None:
        """Report which networks are spike-driven, and the violations of the others."""
        rows = []
        for name, runs in self.outcomes.items():
            verdicts = [run["verdict"] for run in runs]
            offences = [one for verdict in verdicts for one in verdict["offences"]]
            kinds = Counter(one["kinds"] for one in offences)
            rows.append(
                [
                    NETWORKS[name].label,
                    all(verdict["spike_driven"] for verdict in verdicts),
                    len(offences) / len(runs),
                    ", ".join(kinds) or None,
                    100 * sum(one["share"] for one in offences) / len(runs),
                    100 * fmean(sum(one["share"] for one in v["allowed"]) for v in verdicts),
                    fmean(len(verdict["silent"]) for verdict in verdicts),
                    any(verdict["leaks"] for verdict in verdicts),
                ]
            )
        report.add(
            Table(
                "Is it spike-driven?",
                [
                    "network",
                    "spike-driven",
                    "offences",
                    "inputs",
                    "share (%)",
                    "excepted (%)",
                    "silent",
                    "batch leaks",
                ],
                rows,
                "Judged by the values that every operation read over the counted images. "
                "Shares are of the energy of the arithmetic. "
                "Excepted: the first convolution, the head, the second product of the attention. "
                "Silent operations received no spikes at all and were not judged.",
            )
        )

    def report_operations(self, report: Report) -> None:
        """Report the operations per image."""
        columns: dict[str, Callable[[dict[str, Any]], float | None]] = {
            "MAC (M)": lambda run: run["operations"]["Effective_MACs"] / 1e6,
            "AC (M)": lambda run: run["operations"]["Effective_ACs"] / 1e6,
            "dense (M)": lambda run: run["operations"]["Dense"] / 1e6,
            "with padding (M)": lambda run: run["operations"]["nominal"] / 1e6,
            "membrane updates (k)": lambda run: run["operations"]["updates"] / 1e3,
            "zeros in the activations (%)": _sparsity,
        }
        report.add(
            Table(
                "Operations per image",
                ["network", *columns],
                [
                    [NETWORKS[name].label, *(_mean(read, runs) for read in columns.values())]
                    for name, runs in self.outcomes.items()
                ],
                "Mean over the trainings. MAC and AC: products without a zero factor; with a "
                "binary operand they are additions. Dense: as if no value were zero.",
            )
        )

    def report_energy(self, report: Report) -> None:
        """Report the energy, by every cost model."""
        columns = {
            "arithmetic": "compute",
            "papers' formula": "paper",
            "with memory": "memory",
            "one by one": "events",
            "integers": "spiking",
            "counting network": "quantised",
        }
        rows = []
        for name, runs in self.outcomes.items():
            spikes = runs[0]["steps"] > 1
            rows.append(
                [NETWORKS[name].label]
                + [
                    self._energy(name, way)
                    if spikes or way not in ("spiking", "quantised")
                    else None
                    for way in columns.values()
                ]
            )
        bits = max(run["bits"] for runs in self.outcomes.values() for run in runs)
        report.add(
            Table(
                "Energy per image (µJ)",
                ["network", *columns],
                rows,
                "45 nm, fp32 (Horowitz, ISSCC 2014), mean over the trainings; no hardware was "
                "measured. With memory: a MAC for each membrane update, weights once from DRAM, "
                "activations and membranes through SRAM. One by one: each product also fetches its "
                "weight and updates its sum. Integers: 8-bit weights, arithmetic alone. "
                f"Counting network: the same layers run once with {bits}-bit activations that "
                "count the spikes (arXiv 2409.08290).",
            ),
            *(
                Series(
                    label,
                    list(self.accuracy.labels.values()),
                    [self._energy(name, way) for name in self.outcomes],
                    axis="network",
                    unit="µJ",
                )
                for way, label in WAYS.items()
            ),
            Figure("Energy per image", list(WAYS.values()), "bar", y_log=True),
        )

    def report_firing(self, report: Report) -> None:
        """Report the firing rate of every layer of neurons."""
        spiking = {name: runs for name, runs in self.outcomes.items() if runs[0]["rates"]}
        rates = {
            name: {layer: fmean(run["rates"][layer] for run in runs) for layer in runs[0]["rates"]}
            for name, runs in spiking.items()
        }
        if not rates:
            return
        names = {name: f"{NETWORKS[name].label}: firing rate" for name in rates}
        report.add(
            Table(
                "Firing rate by layer",
                ["network", "layer", "spikes per neuron per step"],
                [
                    [NETWORKS[name].label, layer, rate]
                    for name, of_layers in rates.items()
                    for layer, rate in of_layers.items()
                ],
                "Mean over the trainings, on the counted images.",
            ),
            *(
                Series(names[name], range(1, len(of) + 1), list(of.values()), axis="layer")
                for name, of in rates.items()
            ),
            Figure("Firing rate", list(names.values()), y_label="spikes per neuron per step"),
        )

    def report_claim(self, report: Report) -> None:
        """Report the energy saving of Spikingformer over Spikformer, with the paper's number."""
        if not {"spikingformer", "spikformer"} <= self.outcomes.keys():
            return
        pairs = list(zip(self.outcomes["spikingformer"], self.outcomes["spikformer"], strict=False))
        saved = {
            way: [100 * (1 - a["energy_j"][way] / b["energy_j"][way]) for a, b in pairs]
            for way in WAYS
        }
        for way, values in saved.items():
            interval = t_interval(values) if len(values) > 1 else None
            report.add(
                Scalar(
                    f"energy saved against Spikformer, {WAYS[way]}",
                    fmean(values),
                    "%",
                    low=interval and interval.low,
                    high=interval and interval.high,
                    published=CLAIM if way == "paper" else None,
                )
            )
        report.note(self._why({way: fmean(values) for way, values in saved.items()}))
        report.answer(self._answer(saved["paper"]))

    def _answer(self, saved: Sequence[float]) -> str:
        """The conclusion in one sentence, from the energy saved in each pair of trainings."""
        interval = t_interval(saved) if len(saved) > 1 else None
        energy = f" (95% interval {interval.low:.0f} to {interval.high:.0f})" if interval else ""
        gain = self.accuracy.differences("spikformer")["spikingformer"]
        return (
            f"By the papers' formula, Spikingformer saves {fmean(saved):.0f}% of Spikformer's "
            f"energy{energy}, compared with the paper's {CLAIM.value}%, and its test accuracy "
            f"differs by {signed(gain.estimate)} points (95% interval {signed(gain.low)} to "
            f"{signed(gain.high)})."
        )

    def _why(self, saved: Mapping[str, float]) -> str:
        """Why our number differs from the paper's."""
        offending = fmean(
            sum(one["share"] for one in run["verdict"]["offences"])
            for run in self.outcomes["spikformer"]
        )
        stem = fmean(
            sum(one["share"] for one in run["verdict"]["allowed"])
            for run in self.outcomes["spikingformer"]
        )
        return (
            f"The paper reports that Spikingformer saves {CLAIM.value}% of Spikformer's energy. "
            f"Here it saves {saved['paper']:.0f}% by the paper's formula, {saved['compute']:.0f}% "
            f"of the executed arithmetic, and {saved['memory']:.0f}% with membranes and memory. "
            "The saving comes from layers whose weights read spikes instead of counts, which take "
            f"{100 * offending:.0f}% of Spikformer's arithmetic here. The layers that read images "
            f"and means save nothing; they take {100 * stem:.0f}% of Spikingformer's arithmetic. "
            "Both shares and the firing rates depend on the sizes of network and images and on the "
            "training, which differ from the paper's. The formula omits the memory, where a small "
            "network spends most of its energy on reading weights, of which both have equally many."
        )

    def _energy(self, name: str, way: str) -> float:
        return fmean(MICRO * run["energy_j"][way] for run in self.outcomes[name])


def _sparsity(run: dict[str, Any]) -> float | None:
    share = run["operations"]["ActivationSparsity"]
    return None if share is None else 100 * share


def _mean(
    read: Callable[[dict[str, Any]], float | None], runs: Sequence[dict[str, Any]]
) -> float | None:
    values = [value for value in map(read, runs) if value is not None]
    return fmean(values) if values else None
