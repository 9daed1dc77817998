"""Settings of a score, and its pieces of work."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, final

import numpy as np
from tyro.conf import Positional, arg

from engram import data
from engram.data.responses import Rdms, ResponseOptions, Responses, read_responses
from engram.errors import EngramError
from engram.journal import Journal
from engram.report import Picture, Report
from engram.similarity import Layer, Target, match_stimuli, targets_of
from engram.similarity.profile import METRICS
from engram.studies.similarity_score import findings
from engram.studies.similarity_score.models import Model, make_model, read_features
from engram.studies.similarity_score.plan import (
    Plan,
    check_memory,
    plan_table,
    plan_text,
    planned,
)
from engram.studies.similarity_score.saved import RdmFiles
from engram.studies.similarity_score.scoring import measured, sheet, worked
from engram.studies.similarity_score.stimuli import Stimuli, read_stimuli
from engram.study import check_at_least, check_chosen


@final
@dataclass(frozen=True)
class SimilarityScore:
    """Score the layers of a model against recorded areas.

    Args:
        model: lite0, lite0_twin, a preset of engram.vision, MODULE:FUNCTION that makes a
            torch.nn.Module without arguments, or FILE.npz of features by layer.
        recording: Responses or RDMs: npz, npy, HDF5, MATLAB 7.3, NWB, netCDF-4.
        images: The pictures that the model sees: a folder, an archive, or FILE.npz:KEY.
        layers: Layers to score; empty takes the stem and the stages, or the children.
        metrics: rsa, ridge, svcca, cka, procrustes; RDMs allow only rsa.
        areas: Areas of the recording; empty takes all.
        checkpoint: Weights of a preset.
        transform: MODULE:FUNCTION that maps pictures (batch, 3, height, width) uint8 to inputs;
            None takes what is known of the model, else ImageNet's standardisation.
        steps: Time steps of a spiking preset, or levels of lite0_twin.
        size: Side in pixels to which pictures are scaled and cropped.
        batch: Pictures per call.
        same_order: The pictures are the stimuli of the recording in the same order.
        keys: Names of the arrays of the recording to read.
        axes: Names of the axes of the responses: stimulus, repetition, presentation, neuroid, time.
        missing: The number that stands for a repetition that does not exist.
        correlation: The matrices of the recording hold correlations.
        presentations: NWB: the table of presentations.
        stimulus: The array or column with the ids of the stimuli.
        window_s: First and last second of the responses that count.
        bin_s: NWB: width of a bin, in seconds.
        least_reliability: Leave out neurons with a lower reliability.
        components: Components that SVCCA keeps.
        draws: Number of resamples of the stimuli.
        control: Score the untrained network and the pixels too.
        layer_mb: Features of a layer that take more MiB are projected.
        memory_gb: GiB of memory that the run may take.
        save_rdms: Write the RDMs beside the report.
        seed: Seed of resamples, halves and random weights.
    """

    name: ClassVar[str] = "similarity-score"
    title: ClassVar[str] = "Similarity with recorded neurons"
    question: ClassVar[str] = "How similar are the layers of the model to the recorded areas?"

    model: Annotated[Positional[str], arg(metavar="MODEL")]
    recording: str
    images: str | None = None
    layers: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("rsa", "ridge")
    areas: tuple[str, ...] = ()
    checkpoint: Path | None = None
    transform: str | None = None
    steps: int | None = None
    size: int = 224
    batch: int = 8
    same_order: bool = False
    keys: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    missing: float | None = None
    correlation: bool = False
    presentations: str | None = None
    stimulus: str | None = None
    window_s: tuple[float, float] | None = None
    bin_s: float | None = None
    least_reliability: float | None = None
    components: int = 40
    draws: int = 1000
    control: bool = True
    layer_mb: int = 256
    memory_gb: float = 8.0
    save_rdms: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least(2, batch=self.batch)
        check_at_least(1, steps=self.steps, components=self.components, layer_mb=self.layer_mb)
        check_at_least(8, size=self.size)
        check_at_least(20, draws=self.draws)
        check_chosen("metrics", self.metrics, METRICS)
        if not self.of_features and self.images is None:
            raise EngramError(f"{self.model} needs pictures: name them (images)")
        if self.memory_gb <= 0:
            raise EngramError(f"memory_gb={self.memory_gb}: give a positive number")
        self._options()

    @property
    def of_features(self) -> bool:
        """Whether the model is a file of features."""
        return self.model.endswith(".npz")

    def _options(self) -> ResponseOptions:
        return ResponseOptions(
            self.keys, self.axes, self.missing, self.correlation, self.presentations,
            self.stimulus, self.window_s, self.bin_s,
        )  # fmt: skip

    def prepared(self) -> tuple[Model, Stimuli, Plan]:
        """The model, its pictures, and what the run will take.

        Raises:
            ValueError: One of them cannot be read or made, or it would take too much memory.
        """
        model = make_model(
            self.model,
            checkpoint=self.checkpoint,
            transform=self.transform,
            layers=self.layers,
            steps=self.steps,
            seed=self.seed,
        )
        stimuli = read_stimuli(str(self.images), self.size)
        if len(stimuli.ids) < 3:
            raise EngramError(f"{self.images} has {len(stimuli.ids)} pictures: give 3 or more")
        plan = planned(model, stimuli, self.batch, self.layer_mb << 20, int(self.control))
        check_memory(plan, self.memory_gb)
        return model, stimuli, plan

    def estimate(self) -> str:
        """What the run will take, in one sentence; empty for a file of features."""
        return "" if self.of_features else plan_text(self.prepared()[2])

    def run(self, report: Report, journal: Journal) -> None:
        """Record the layers, score them, and report.

        Raises:
            ValueError: The model, the pictures or the recording cannot be read, or do not match.
        """
        journal.expect(1)
        recording = read_responses(self.recording, self._options())
        path = Path(self.recording)
        report.title = f"{self.model} and {path.name}"
        report.provenance.data[path.name] = data.sha256_of(path)
        work = self._of_features if self.of_features else self._of_model
        found, notes = work(recording, report, journal)
        findings.report_all(report, self, found, notes, journal.folder)

    def _of_features(
        self, recording: Responses | Rdms, report: Report, journal: Journal
    ) -> tuple[dict[str, Any], list[str]]:
        path = Path(self.model)
        ids, features = read_features(path)
        report.provenance.data[path.name] = data.sha256_of(path)
        chosen = self.layers or tuple(features)
        missing = [name for name in chosen if name not in features]
        if missing:
            raise EngramError(f"{path} has no layer {missing[0]!r}: it has {', '.join(features)}")
        count = len(features[chosen[0]])
        names = ids or tuple(str(k) for k in range(count))
        if not ids and not self.same_order:
            raise EngramError(
                f"{path} has no array stimulus_id that names its {count} stimuli: add one, or "
                "state that they are in the same order (same_order)"
            )
        layers = [Layer(name, partial(features.__getitem__, name)) for name in chosen]
        targets = self._targets(recording, names)

        def work() -> dict[str, Any]:
            files = self._files(journal, names)
            found = measured(
                layers, targets, self.metrics, self.seed, self.draws, self.components, files
            )
            return found | {"notes": ["features from a file have no untrained control"]}

        return journal.once(self.model, work), [f"the features are those of {path.name}"]

    def _of_model(
        self, recording: Responses | Rdms, report: Report, journal: Journal
    ) -> tuple[dict[str, Any], list[str]]:
        model, stimuli, plan = self.prepared()
        report.provenance.data.update(stimuli.digests)
        targets = self._targets(recording, stimuli.ids)
        asked = {
            "batch": self.batch, "largest": self.layer_mb << 20, "control": self.control,
            "metrics": self.metrics, "seed": self.seed, "draws": self.draws,
            "components": self.components,
        }  # fmt: skip
        work: Callable[[], dict[str, Any]] = lambda: worked(  # noqa: E731
            model, stimuli, targets, plan, self._files(journal, stimuli.ids), **asked
        )
        found = journal.once(self.model, work)
        section = report.section("What ran")
        section.add(plan_table(plan))
        section.note(plan_text(plan))
        try:
            section.add(
                Picture.of(
                    "What the network saw",
                    sheet(model, stimuli),
                    "Its input for the first pictures, from the smallest value (black) to the "
                    "largest (white).",
                )
            )
        except EngramError as error:
            section.note(f"{error}.")
        return found, [*model.notes, *stimuli.notes]

    def _targets(self, recording: Responses | Rdms, ids: tuple[str, ...]) -> list[Target]:
        of_rdms = isinstance(recording, Rdms)
        count = recording.n_stimuli if of_rdms else len(recording.values)
        if of_rdms and "rsa" not in self.metrics:
            raise EngramError("the recording holds RDMs, which allow only the metric rsa")
        match = match_stimuli(ids, recording.stimuli, count, same_order=self.same_order)
        return targets_of(
            recording,
            match,
            np.random.default_rng(self.seed),
            areas=self.areas,
            least_reliability=self.least_reliability,
            window_s=None if self.recording.endswith(".nwb") else self.window_s,
        )

    def _files(self, journal: Journal, ids: tuple[str, ...]) -> RdmFiles | None:
        if not self.save_rdms or journal.folder is None:
            return None
        return RdmFiles(journal.folder, ids)
