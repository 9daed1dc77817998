"""`engram similarity score`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional, arg

from engram.cli.output import print_json, print_line
from engram.report import print_report
from engram.studies.similarity_score import SimilarityScore
from engram.study import execute, run_folder


@dataclass(frozen=True)
class ScoreModel:
    """Score the layers of a model against recorded areas.

    Args:
        model: lite0, lite0_twin, a preset of engram.vision, MODULE:FUNCTION that makes a
            torch.nn.Module without arguments, or FILE.npz of features by layer.
        recording: Responses or RDMs: npz, npy, HDF5, MATLAB 7.3, NWB, netCDF-4.
        images: The pictures that the model sees: a folder, an archive, or FILE.npz:KEY.
        layers: Layers to score; default: the stem and the stages, or the children.
        metrics: rsa, ridge, svcca, cka, procrustes; RDMs allow only rsa.
        areas: Areas of the recording; default: all.
        checkpoint: Weights of a preset.
        transform: MODULE:FUNCTION that maps pictures (batch, 3, height, width) uint8 to inputs;
            default: what is known of the model, else ImageNet's standardisation.
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
        estimate: Print what the run would take, and stop.
        out: Folder for the journal, the report and the RDMs.
        fresh: Discard the results of an earlier run in the folder.
        json: Print JSON.
    """

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
    estimate: bool = False
    out: Annotated[
        Path | None,
        arg(metavar="DIR", help_behavior_hint="(default: runs/similarity-score-DIGEST)"),
    ] = None
    fresh: bool = False
    json: bool = False

    def __call__(self) -> int:
        """Print what the run takes, run it, and print its report and the path of its page."""
        study = SimilarityScore(
            **{one.name: getattr(self, one.name) for one in fields(SimilarityScore)}
        )
        needs = study.estimate()
        if needs:
            Console(stderr=not self.estimate).print(needs, highlight=False, soft_wrap=True)
        if self.estimate:
            return 0
        folder = self.out or run_folder(study)
        report = execute(study, folder, fresh=self.fresh)
        if self.json:
            print_json(report.to_dict())
        else:
            print_report(report, Console())
            print_line(folder / "report.html")
        return 0
