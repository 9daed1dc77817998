"""Settings of the study, and its pieces of work."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, final

from engram import data
from engram.errors import EngramError
from engram.journal import Journal
from engram.report import Report
from engram.studies.visual_pathways import findings
from engram.studies.visual_pathways.photographs import FILES, measured, paths
from engram.studies.visual_pathways.simulated import PATHWAYS, simulated
from engram.study import check_at_least


@final
@dataclass(frozen=True)
class VisualPathways:
    """Compare an artificial network with its spiking twin along recorded visual pathways.

    With recordings in the folder named by ENGRAM_DATA, EfficientNet-Lite0 and its spiking twin of
    equal weights see the photographs. Without them, a simulated cortex with a known true model
    takes their place.

    Args:
        steps: Numbers of time steps T of the spiking twins.
        scheme: How the twins run on photographs: quantised, which integrate-then-fire equals up to
            rounding, or with spikes (T times the work): integrate-then-fire, same-steps, signed.
        recordings: Whether to use recordings where there are any.
        mouse: Whether to score the six areas of the mouse too.
        v4: Whether to score single neurons of macaque V4 too, by RSA and ridge; some minutes.
        simulate: Whether to run the simulation although there are recordings.
        stimuli: Number of pictures of the simulation.
        subjects: Number of subjects of the simulation.
        neurons: Neurons of a subject in an area of the simulation.
        draws: Number of resamples of the stimuli.
        seed: Seed of all random numbers.
    """

    name: ClassVar[str] = "visual-pathways"
    title: ClassVar[str] = "Spiking twins along visual pathways"
    question: ClassVar[str] = "Do spiking networks resemble visual cortex more than equal networks?"

    steps: tuple[int, ...] = (32,)
    scheme: Literal["quantised", "integrate-then-fire", "same-steps", "signed"] = "quantised"
    recordings: bool = True
    mouse: bool = True
    v4: bool = False
    simulate: bool = False
    stimuli: int = 60
    subjects: int = 4
    neurons: int = 40
    draws: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least(1, **{f"steps {count}": count for count in self.steps})
        check_at_least(20, draws=self.draws, stimuli=self.stimuli)
        check_at_least(3, subjects=self.subjects, neurons=self.neurons)
        if not self.steps or len(set(self.steps)) < len(self.steps):
            raise EngramError(f"steps={self.steps}: give numbers of steps, each once")

    def sets(self) -> list[str]:
        """The sets of recordings that are there and wanted."""
        wanted = {"92 photographs": True, "mouse scenes": self.mouse, "macaque V4": self.v4}
        return [name for name in FILES if self.recordings and wanted[name] and paths(name)]

    def run(self, report: Report, journal: Journal) -> None:
        """Score the networks on each set of recordings, or on the simulated cortex."""
        names = self.sets()
        simulating = self.simulate or not names
        journal.expect(len(names) + len(PATHWAYS) * simulating)
        found: dict[str, dict[str, Any]] = {}
        for name in names:
            for path in paths(name):
                report.provenance.data[path.name] = data.sha256_of(path)
            metrics = ("rsa", "ridge") if name == "macaque V4" else ("rsa",)
            work = partial(measured, name, self.steps, self.scheme, metrics, self.seed, self.draws)
            found[name] = journal.once(name, work)
        for pathway in PATHWAYS if simulating else ():
            work = partial(
                simulated, pathway, self.seed, self.stimuli, self.subjects, self.neurons,
                self.steps, self.draws,
            )  # fmt: skip
            found[f"simulated {pathway}"] = journal.once(f"simulated {pathway}", work)
        findings.report_all(report, self, found)
