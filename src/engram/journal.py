"""Journal: saves each piece of work before the next begins, so that a killed run can resume."""

import json
import os
import time
from collections.abc import Callable
from enum import Enum
from io import BufferedRandom
from pathlib import Path
from typing import Any, Self

from engram.errors import EngramError
from engram.progress import Progress, Step, silent

try:
    import fcntl
except ImportError:  # not POSIX: two runs in one folder are then not detected
    fcntl = None


class Journal:
    """The finished pieces of work of a run: one JSON line each, saved before the next begins.

    Args:
        path: The file; None saves nothing, for a run in memory.
        identity: Identity of the run; a journal with pieces of another run is refused.
        progress: Called for each piece, with the number expected.
        fresh: Whether to discard the content of the file, whatever its identity.

    Raises:
        ValueError: If the file is the journal of another run, is damaged before its last line,
            or is being written by another process.
    """

    def __init__(
        self,
        path: Path | None = None,
        identity: str = "",
        progress: Progress = silent,
        fresh: bool = False,
    ) -> None:
        self.total = 0
        self.done: list[str] = []
        self.recalled_s = 0.0
        self._recalled: dict[str, dict[str, Any]] = {}
        self._file = None if path is None else _open_locked(path)
        self._progress = progress
        if self._file is not None:
            if fresh:
                self._file.truncate(0)
            try:
                self._recall(self._file, identity)
            except ValueError:
                self._file.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return len(self._recalled)

    @property
    def folder(self) -> Path | None:
        """The folder of the run, for files beside the report; None for a run in memory."""
        return None if self._file is None else Path(str(self._file.name)).parent

    @property
    def lacks(self) -> str:
        """The missing work, in words."""
        missing = self.total - len(self.done)
        if missing > 0:
            return f"{missing} of {self.total} pieces of work"
        return "the pieces of work that follow the finished ones"

    def expect(self, total: int) -> None:
        """Set the number of pieces of work of the run.

        Args:
            total: Number of calls of `once`.
        """
        self.total = total
        self._tell("starting")

    def once(self, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do a piece of work, or return its result from an earlier session of this run.

        The result passes through JSON in both cases, so that both give the same. For the same
        reason the work may depend on the settings and the key only: seed a generator from
        them, and do not share one between pieces.

        Args:
            key: Name of the piece, unique in the run; also the label of the progress bar.
            compute: Does the work and returns a JSON-compatible dictionary.

        Returns:
            The dictionary after a round trip through JSON.

        Raises:
            ValueError: If the key was used before in this session, or the result is not
                JSON-compatible.
        """
        if key in self.done:
            raise EngramError(f"two pieces of work have the key {key!r}; give each its own key")
        self._tell(key)
        if key not in self._recalled:
            start = time.perf_counter()
            value = plain(compute(), f"the result of {key!r}")
            self._write({"key": key, "value": value, "s": time.perf_counter() - start})
        else:
            value = self._recalled[key]["value"]
            self.recalled_s += self._recalled[key]["s"]
        self.done.append(key)
        self._tell(key)
        return value

    def close_run(self) -> None:
        """Mark the run as complete: the next run in this folder starts anew."""
        self._write({"complete": True})

    def _tell(self, label: str) -> None:
        self._progress(Step("work", len(self.done), self.total or None, label=label))

    def _recall(self, file: BufferedRandom, identity: str) -> None:
        lines = file.read().splitlines(keepends=True)
        if lines and not _is_whole(lines[-1]):
            file.truncate(sum(map(len, lines[:-1])))  # truncated by a kill: it was never complete
            lines.pop()
        try:
            entries = [json.loads(line) for line in lines]
        except ValueError as error:
            raise EngramError(
                f"the journal {file.name} is damaged ({error}); discard it with fresh (--fresh)"
            ) from error
        if len(entries) > 1 and entries[0] != {"run": identity}:
            raise EngramError(
                f"{Path(file.name).parent} holds a run with other settings or of another version; "
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
    """Return a value after a JSON round trip: tuples become lists, paths and enums their text.

    Args:
        value: Dictionaries, sequences, text and finite numbers of Python.
        what: What the value is, for the message of the error.

    Raises:
        ValueError: If it is not JSON-compatible: an array, a NumPy scalar, NaN, infinity.
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_text))
    except (TypeError, ValueError) as error:
        raise EngramError(
            f"{what} cannot be written as JSON ({error}); "
            "use Python numbers, .tolist() for arrays, and None for NaN"
        ) from error


def _text(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} is not JSON-compatible")


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
            raise EngramError(
                f"another process is running in {path.parent}; wait for it, or choose another "
                f"folder"
            ) from None
    file.seek(0)
    return file
