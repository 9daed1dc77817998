"""Study: a question with settings, run in pieces so that a killed run can resume."""

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import Field, asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from rich.console import Console

from engram import __version__
from engram.errors import EngramError
from engram.journal import Journal, plain
from engram.progress import Progress, bars
from engram.report import Provenance, Report, save_report
from engram.report.provenance import hardware, versions

LARGEST_SEED = 2**63 - 1023
"""Torch accepts seeds up to 2**63 - 1, and a study counts upwards from its own."""


class Study(Protocol):
    """A question, as a frozen dataclass of settings with a method that answers it."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]

    @property
    def seed(self) -> int:
        """Seed of all random numbers of the run."""
        ...

    def run(self, report: Report, journal: Journal) -> None:
        """Answer the question.

        Args:
            report: The report to fill in.
            journal: Saves each finished piece of work.
        """
        ...


def check_at_least(least: float, **values: float | None) -> None:
    """Raise ValueError, with the name of the setting, for a value below `least` or too large."""
    for name, value in values.items():
        if value is not None and value < least:
            raise EngramError(f"{name} is {value}: it must be at least {least}")
        if value is not None and value >= 2**63:
            raise EngramError(f"{name} is {value}: it must be less than 2**63")


def check_lr(lr: float) -> None:
    """Raise ValueError unless a learning rate is positive and finite."""
    if not 0 < lr < math.inf:
        raise EngramError(f"lr={lr}: the learning rate must be a positive number, such as 1e-3")


def check_chosen(name: str, chosen: Sequence[str], known: Sequence[str]) -> None:
    """Raise ValueError unless at least one of the known names is chosen, each at most once."""
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(known):
        raise EngramError(
            f"{name} are {chosen}: name at least one of {', '.join(known)}, each only once"
        )


def identify(study: Study) -> str:
    """Return the SHA-256 of a study's name, its settings and the version of Engram."""
    run = {"study": study.name, "settings": settings(study), "engram": __version__}
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()


def settings(study: Study) -> dict[str, Any]:
    """Return the settings of a study as a JSON-compatible dictionary."""
    return plain(asdict(study), f"the settings of {study.name!r}")


def run_folder(study: Study) -> Path:
    """Return the default folder of a run, runs/NAME-DIGEST; the digest is that of `identify`."""
    return Path("runs") / f"{study.name}-{identify(study)[:8]}"


def execute(
    study: Study,
    folder: str | Path | None = None,
    console: Console | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Run a study and save its report.

    A run that was killed or interrupted resumes after its last finished piece of work; a complete
    run starts anew. An interrupt first saves a partial report.

    Args:
        study: The study.
        folder: Folder for the journal and the report; `run_folder(study)` when None.
        console: Console for progress and messages; the error stream when None.
        fresh: Whether to discard an earlier run in the folder.
        progress: Called for each piece of work; None draws bars on the console.

    Returns:
        The complete report.

    Raises:
        ValueError: If the folder holds a different run, or one that is still running, or the seed
            is not valid for every generator.
    """
    if not isinstance(study.seed, int) or not 0 <= study.seed < LARGEST_SEED:
        raise EngramError(f"seed is {study.seed!r}: give an integer from 0 to 2**63 - 1024")
    folder = run_folder(study) if folder is None else Path(folder)
    console = console or Console(stderr=True)
    folder.mkdir(parents=True, exist_ok=True)
    report = Report(study.name, study.title, study.question)
    report.provenance = Provenance(
        settings=settings(study),
        seed=study.seed,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    start = time.perf_counter()
    with (
        bars(console) as drawn,
        Journal(folder / "journal.jsonl", identify(study), progress or drawn, fresh) as journal,
    ):
        if len(journal):
            done = f"{len(journal)} pieces of work are already done"
            console.print(f"Resuming {folder}: {done}.", soft_wrap=True)
        try:
            study.run(report, journal)
        except KeyboardInterrupt:
            seconds = time.perf_counter() - start + journal.recalled_s
            page = _save(report, folder, seconds, journal.lacks)
            text = f"Interrupted, with {journal.lacks} missing; partial report: {page}"
            console.print(text, soft_wrap=True)
            raise
        _save(report, folder, time.perf_counter() - start + journal.recalled_s)
        journal.close_run()
    return report


def _save(report: Report, folder: Path, duration_s: float, missing: str = "") -> Path:
    source = report.provenance
    source.versions, source.hardware = versions(), hardware()
    source.duration_s = duration_s
    source.status, source.missing = ("partial" if missing else "complete"), missing
    return save_report(report, folder)
