"""Settings of the study, and its pieces of work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, final

from engram.critical.simulate import fan_out
from engram.errors import EngramError
from engram.journal import Journal
from engram.report import Report
from engram.studies.criticality import findings
from engram.studies.criticality.network import Job, avalanche_laws, measure, onset
from engram.studies.criticality.recordings import available, measured
from engram.study import check_at_least

RADII = (0.8, 0.9, 0.95, 0.98, 1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.07, 1.1)
"""λ of the sweep."""
OFFSETS = (-0.02, 0.0, 0.01, 0.02, 0.03, 0.04, 0.06)
"""λ − 1 for finite size with N = 1,000 nodes; other sizes multiply it by √(1000/N)."""
SHOWN = (0.8, 1.0, 1.1)
"""λ at which a stimulus is switched on."""
STIMULUS = 0.02
"""η during a stimulus."""
TOTAL_DRIVE = 1.0
"""η N of every network size: the total drive does not depend on it."""
SLOW = 0.1
"""The drive of the avalanches, relative to that."""


@final
@dataclass(frozen=True)
class Criticality:
    """Look for the signs of criticality in networks of excitatory nodes and in recordings.

    Args:
        n: Number of nodes of the sweep over λ.
        degree: Mean in-degree.
        steps: Steps of a simulation.
        sizes: Numbers of nodes with which the place of the peak is examined.
        seeds: Number of graphs, each with its own weights and run.
        full: A sweep with 10,000 nodes and 200,000 steps; an hour on two cores.
        draws: Samples of a bootstrap.
        trained: Whether to read out a spiking network before and after training.
        workers: Processes that simulate.
        dask: Address of a Dask scheduler that simulates instead, such as tcp://host:8786.
        seed: Seed of all random numbers.
    """

    name: ClassVar[str] = "criticality"
    title: ClassVar[str] = "Signs of criticality"
    question: ClassVar[str] = "Which signs of criticality peak where a network is critical?"

    n: int = 1000
    degree: int = 20
    steps: int = 60_000
    sizes: tuple[int, ...] = (250, 500, 1000, 2000, 4000)
    seeds: int = 3
    full: bool = False
    draws: int = 50
    trained: bool = True
    workers: int = 2
    dask: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least(100, n=self.n, **{f"size {size}": size for size in self.sizes})
        check_at_least(1, degree=self.degree, seeds=self.seeds, workers=self.workers)
        check_at_least(20, draws=self.draws)
        check_at_least(6000, steps=self.steps)
        if not self.sizes or self.degree >= min(self.n, *self.sizes):
            raise EngramError(
                f"degree={self.degree}, sizes={self.sizes}: give at least one size, each above "
                "the degree"
            )

    @property
    def nodes(self) -> int:
        """Number of nodes of the sweep."""
        return 10_000 if self.full else self.n

    @property
    def length(self) -> int:
        """Steps of a simulation."""
        return 200_000 if self.full else self.steps

    def run(self, report: Report, journal: Journal) -> None:
        """Simulate, measure, and read the recordings out.

        Raises:
            ValueError: If a network cannot have the λ that it is to have.
        """
        sources = available()
        journal.expect(3 + len(self.sizes) + len(sources) + self.trained)
        sweep = self._swept(journal, "sweep over λ", self.nodes, RADII)
        stimulated = journal.once("stimulus", self._stimulated)
        laws = journal.once("avalanches", self._avalanches)
        finite = {
            size: (radii, self._swept(journal, f"{size} nodes", size, radii))
            for size in self.sizes
            for radii in [radii_of(size)]
        }
        recorded = {
            one.label: journal.once(one.label, partial(measured, one, self.seed, self.draws))
            for one in sources
        }
        findings.report_peaks(report, self, RADII, sweep, finite)
        findings.report_stimulus(report, stimulated)
        findings.report_avalanches(report, laws)
        findings.report_recordings(report, recorded)
        if self.trained:
            # torch, without which the processes that simulate start in a third of the time
            from engram.studies.criticality.trained import read_out  # noqa: PLC0415

            found = journal.once("trained network", lambda: {"rows": read_out(self.seed)})
            findings.report_trained(report, found["rows"])
        for note in describe(self, min(row["giant"] for row in sweep)):
            report.note(note)

    def _jobs(self, n: int, radii: Sequence[float], drive: float = 1.0) -> list[Job]:
        """A simulation for each λ and seed, by λ first."""
        return [
            Job(n, self.degree, radius, drive * TOTAL_DRIVE / n, self.length, self.seed + seed)
            for radius in radii
            for seed in range(self.seeds)
        ]

    def _swept(
        self, journal: Journal, key: str, n: int, radii: Sequence[float]
    ) -> list[dict[str, Any]]:
        """What is measured in each simulation of a sweep."""
        jobs = self._jobs(n, radii)
        return journal.once(key, lambda: {"rows": self._map(measure, jobs)})["rows"]

    def _stimulated(self) -> dict[str, Any]:
        jobs = self._jobs(self.nodes, SHOWN)
        found = self._map(partial(onset, stimulus=STIMULUS), jobs)
        return {
            "rows": [{"radius": job.radius} | one for job, one in zip(jobs, found, strict=True)]
        }

    def _avalanches(self) -> dict[str, Any]:
        jobs = self._jobs(self.nodes, (0.9, 1.0), SLOW)
        found = self._map(partial(avalanche_laws, draws=self.draws), jobs)
        return {
            "rows": [{"radius": job.radius} | one for job, one in zip(jobs, found, strict=True)]
        }

    def _map(self, work: Callable[[Job], Any], jobs: list[Job]) -> list[Any]:
        return fan_out(work, jobs, self.dask or self.workers)


def radii_of(size: int) -> tuple[float, ...]:
    """The λ at which a network of this size is simulated, closer to 1 the larger it is."""
    scale = (1000 / size) ** 0.5
    return tuple(round(1 + scale * offset, 4) for offset in OFFSETS)


def describe(study: Criticality, giant: float) -> list[str]:
    """Notes on the model and the methods.

    Args:
        study: The settings.
        giant: Smallest share of the nodes in the largest strongly connected component.
    """
    return [
        f"Model: {study.nodes} excitatory nodes on an Erdős–Rényi graph of mean in-degree "
        f"{study.degree}, product rule, weights uniform and scaled to λ, {study.length} steps from "
        f"rest. The largest strongly connected component holds at least {100 * giant:.1f} % of "
        f"them. A tenth is driven with η = {TOTAL_DRIVE / study.nodes:g} per step and left out of "
        "the measures. The paper (arXiv 1610.01217) gives the model; sizes and rates are our "
        "choice.",
        f"Each of {study.seeds} seeds has its own graph, weights and run. A peak is the vertex of "
        "a parabola through the largest value and its neighbours; its interval is Student's over "
        "the seeds. Units need 20 intervals.",
        "Finite size: the drive η N is the same for all sizes.",
    ]
