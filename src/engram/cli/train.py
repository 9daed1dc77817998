"""`engram train`, in one process or in those that torchrun starts."""

import hashlib
import json
import shlex
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import arg

from engram.cli.output import print_line
from engram.progress import bars, silent
from engram.report import print_report, save_report
from engram.studies.model_training import ModelTraining
from engram.train import Conduct, processes

STOPPED = 143
"""Exit code of a training that stopped before its end, as of a process that SIGTERM ended."""


@dataclass(frozen=True, kw_only=True)
class TrainModel:
    """Train a model on images or events; a run that was cut off continues.

    Args:
        settings: What is trained.
        conduct: How it is carried out.
        out: Folder of the trainings and the report.
        timeout_s: Seconds after which a process that waits for another one fails.
        tensorboard: Whether to write files for TensorBoard beside the checkpoints.
    """

    settings: Annotated[ModelTraining, arg(name="")]
    conduct: Annotated[Conduct, arg(name="")] = field(default_factory=Conduct)
    out: Annotated[
        Path | None, arg(metavar="DIR", help_behavior_hint="(default: runs/train-DIGEST)")
    ] = None
    timeout_s: float = 600.0
    tensorboard: bool = False

    def __call__(self) -> int:
        """Train, print the report, and the path of its page last; 143 if it was stopped."""
        folder = self.out or self._folder()
        with processes(self.timeout_s) as together, bars() as drawn:
            progress = drawn if together.first else silent
            outcome, report = self.settings.run(
                folder, self.conduct, together, progress, tensorboard=self.tensorboard
            )
        if not together.first:
            return 0 if outcome.finished else STOPPED
        if report is None:
            said = f"Stopped by {outcome.reason}; to continue"
            words = [word for word in sys.argv[1:] if word not in ("--fresh", "--resume")]
            command = shlex.join(("engram", *words, "--resume"))
            Console(stderr=True).print(f"{said}: {command}", markup=False, soft_wrap=True)
            return STOPPED
        page = save_report(report, folder)
        print_report(report, Console())
        print_line(page)
        return 0

    def _folder(self) -> Path:
        text = json.dumps(asdict(self.settings), sort_keys=True, default=str)
        return Path("runs") / f"train-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
