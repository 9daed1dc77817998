"""Study: a question with settings, run piece by piece so that a killed run can resume."""

import hashlib
import json
import time
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
"""Torch takes no larger seed than 2**63 - 1; studies count on from theirs."""


class Study(Protocol):
    """A question, as a frozen dataclass of settings that knows how to answer it."""

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


def identify(study: Study) -> str:
    """Return the SHA-256 of a study's name, its settings and the version of Engram.

    Args:
        study: The study.
    """
    run = {"study": study.name, "settings": settings(study), "engram": __version__}
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()


def settings(study: Study) -> dict[str, Any]:
    """Return the settings of a study as a JSON-compatible dictionary.

    Args:
        study: The study.
    """
    return plain(asdict(study), f"the settings of {study.name!r}")


def run_folder(study: Study) -> Path:
    """Return the default folder of a run: runs/NAME-DIGEST.

    Args:
        study: The study; its settings and the version of Engram give the digest.
    """
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
        console: Where progress and messages go; the error stream when None.
        fresh: Whether to discard an earlier run in the folder.
        progress: Called for each piece of work; None draws bars on the console.

    Returns:
        The complete report.

    Raises:
        ValueError: If the folder holds a different run, or one that is still running, or the seed
            is not valid for every generator.
    """
    if not isinstance(study.seed, int) or not 0 <= study.seed < LARGEST_SEED:
        raise EngramError(f"seed is {study.seed!r}: give a whole number from 0 to 2**63 - 1024")
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
            done = f"{len(journal)} pieces of work are done already"
            console.print(f"Resuming {folder}: {done}.", soft_wrap=True)
        try:
            study.run(report, journal)
        except KeyboardInterrupt:
            seconds = time.perf_counter() - start + journal.recalled_s
            page = _save(report, folder, seconds, journal.lacks)
            text = f"Interrupted: the report lacks {journal.lacks}; partial report: {page}"
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
