"""Study: a question with settings, run piece by piece so that a killed run resumes."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import Field, asdict
from datetime import UTC, datetime
from enum import Enum
from io import BufferedRandom
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from engram import __version__
from engram.report import Provenance, Report
from engram.report.provenance import hardware, versions

try:
    import fcntl
except ImportError:  # not POSIX: two runs in one folder are then not told apart
    fcntl = None


class Study(Protocol):
    """A question, as a frozen dataclass of settings that knows how to answer it."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]

    @property
    def seed(self) -> int:
        """Seed of all the randomness of the run."""
        ...

    def run(self, report: Report, journal: "Journal") -> None:
        """Answer the question.

        Args:
            report: The report to fill in.
            journal: Keeps each finished piece of work.
        """
        ...


class Journal:
    """The finished pieces of work of a run: one JSON line each, on disk before the next begins.

    Args:
        path: The file; None keeps nothing, for a run in memory.
        identity: What the run is; a journal that holds pieces of another identity is refused.
        console: Where the progress bar goes; None or a console that is no terminal shows none.
        fresh: Whether to discard what the file holds, whatever its identity.

    Raises:
        ValueError: If the file is the journal of another run, is damaged before its last line,
            or is being written by another process.
    """

    def __init__(
        self,
        path: Path | None = None,
        identity: str = "",
        console: Console | None = None,
        fresh: bool = False,
    ) -> None:
        self.total = 0
        self.done: list[str] = []
        self.recalled_s = 0.0
        self._recalled: dict[str, dict[str, Any]] = {}
        self._file = None if path is None else _open_locked(path)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=console is None or not console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=None)
        if self._file is not None:
            if fresh:
                self._file.truncate(0)
            try:
                self._recall(self._file, identity)
            except ValueError:
                self._file.close()
                raise

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return len(self._recalled)

    @property
    def lacks(self) -> str:
        """What is missing, in words."""
        missing = self.total - len(self.done)
        if missing > 0:
            return f"{missing} of {self.total} pieces of work"
        return "what follows the pieces of work that are done"

    def expect(self, total: int) -> None:
        """Say how many pieces of work the run has.

        Args:
            total: Number of calls of `once`.
        """
        self.total = total
        self._progress.update(self._task, total=total)

    def once(self, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do a piece of work, or read back what an earlier session of this run found.

        The result passes through JSON in both cases, so that both give the same. For the same
        reason the work may depend on the settings and the key only: seed a generator from
        them, and do not share one between pieces.

        Args:
            key: Name of the piece, unique in the run; also the label of the progress bar.
            compute: Does the work and returns a dictionary that JSON can hold.

        Returns:
            The dictionary, as JSON gives it back.

        Raises:
            ValueError: If the key was used before in this session, or JSON cannot hold the
                result.
        """
        if key in self.done:
            raise ValueError(f"two pieces of work are called {key!r}; give each its own key")
        self._progress.update(self._task, description=key)
        if key not in self._recalled:
            start = time.perf_counter()
            value = plain(compute(), f"the result of {key!r}")
            self._write({"key": key, "value": value, "s": time.perf_counter() - start})
        else:
            value = self._recalled[key]["value"]
            self.recalled_s += self._recalled[key]["s"]
        self.done.append(key)
        self._progress.advance(self._task)
        return value

    def close_run(self) -> None:
        """Mark the run as complete: the next run in this folder starts anew."""
        self._write({"complete": True})

    def _recall(self, file: BufferedRandom, identity: str) -> None:
        lines = file.read().splitlines(keepends=True)
        if lines and not _is_whole(lines[-1]):
            file.truncate(sum(map(len, lines[:-1])))  # torn by a kill: it never counted
            lines.pop()
        try:
            entries = [json.loads(line) for line in lines]
        except ValueError as error:
            raise ValueError(
                f"the journal {file.name} is damaged ({error}); discard it with fresh (--fresh)"
            ) from error
        if len(entries) > 1 and entries[0] != {"run": identity}:
            raise ValueError(
                f"{Path(file.name).parent} holds a run of other settings or another version; "
                "choose another folder, or discard that run with fresh (--fresh)"
            )
        if len(entries) > 1 and "complete" not in entries[-1]:
            self._recalled = {entry["key"]: entry for entry in entries[1:]}
            return
        file.truncate(0)
        self._write({"run": identity})

    def _write(self, entry: dict[str, Any]) -> None:
        if self._file is None:
            return
        self._file.write(json.dumps(entry, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def plain(value: Any, what: str) -> Any:
    """Return what JSON gives back for a value: tuples become lists, paths and enums their text.

    Args:
        value: Dictionaries, sequences, text and finite numbers of Python.
        what: What the value is, for the message of the error.

    Raises:
        ValueError: If JSON cannot hold it: an array, a NumPy scalar, NaN, infinity.
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_text))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{what} cannot be written as JSON ({error}); "
            "use Python numbers, .tolist() for arrays, and None for NaN"
        ) from error


def identify(study: Study) -> str:
    """Return the SHA-256 of a study's name, its settings and the version of Engram.

    Args:
        study: The study.
    """
    run = {"study": study.name, "settings": settings(study), "engram": __version__}
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()


def settings(study: Study) -> dict[str, Any]:
    """Return the settings of a study as a dictionary that JSON can hold.

    Args:
        study: The study.
    """
    return plain(asdict(study), f"the settings of {study.name!r}")


def run_folder(study: Study) -> Path:
    """Return the folder of a run where none was chosen: runs/NAME-DIGEST.

    Args:
        study: The study; its settings and the version of Engram give the digest.
    """
    return Path("runs") / f"{study.name}-{identify(study)[:8]}"


def execute(
    study: Study,
    folder: str | Path | None = None,
    console: Console | None = None,
    fresh: bool = False,
) -> Report:
    """Run a study and save its report.

    A run that was killed or interrupted resumes after its last finished piece of work; one that
    is complete starts anew. An interrupt saves what there is as a partial report first.

    Args:
        study: The study.
        folder: Where the journal and the report go; `run_folder(study)` when None.
        console: Where progress and messages go; the error stream when None.
        fresh: Whether to discard what the folder holds of an earlier run.

    Returns:
        The complete report.

    Raises:
        ValueError: If the folder holds an unlike run, or one that is still running.
    """
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
    with Journal(folder / "journal.jsonl", identify(study), console, fresh) as journal:
        if len(journal):
            done = f"{len(journal)} pieces of work are done already"
            console.print(f"Resuming {folder}: {done}.", soft_wrap=True)
        try:
            study.run(report, journal)
        except KeyboardInterrupt:
            seconds = time.perf_counter() - start + journal.recalled_s
            page = _save(report, folder, seconds, journal.lacks)
            text = f"Interrupted: the report lacks {journal.lacks}; what there is: {page}"
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
    return report.save(folder)


def _text(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} is no JSON")


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return line.endswith(b"\n")


def _open_locked(path: Path) -> BufferedRandom:
    file = path.open("a+b")
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ValueError(
                f"another process runs in {path.parent}; wait for it, or choose another folder"
            ) from None
    file.seek(0)
    return file
