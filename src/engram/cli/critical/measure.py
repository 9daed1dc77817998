"""`engram critical measure`."""

from dataclasses import dataclass

from engram.cli.study.run import RunForJson, runner
from engram.studies.recording import RecordingCriticality


@dataclass(frozen=True, kw_only=True)
class Measure(RunForJson):
    """Measure irregularity and criticality of a recording of spikes."""


MeasureRecording = runner(RecordingCriticality, Measure)
