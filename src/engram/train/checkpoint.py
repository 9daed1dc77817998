"""Checkpoints that a kill or a full disk cannot spoil.

A checkpoint is a folder `step-N` with the state, the shares of tensors that are divided among
processes, and a marker that is written last: its format, the sizes and the hashes of these files. A
folder without a marker that fits is never read.
"""

import hashlib
import json
import os
import random
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, final

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from engram.errors import EngramError
from engram.train.pieces import joined, read_pieces

FORMATS = WHOLE, DIVIDED = 1, 2
"""Formats: the state in one file, or with tensors in files of each process."""
STATE, MARKER, PIECES = "state.pt", "complete.json", "pieces"


class Found(NamedTuple):
    """A checkpoint that was found.

    Attributes:
        state: Its state, from which tensors in pieces are left out.
        pieces: Folder of the pieces; None if the state is whole.
    """

    state: dict[str, Any]
    pieces: Path | None


@final
class Checkpoints:
    """The checkpoints of a training, the last ones of which are kept.

    Args:
        folder: Their folder, which is made if it does not exist.
        keep: Number of checkpoints to keep.
        writes: Whether this process writes them.

    Raises:
        ValueError: If the folder cannot be written to.
    """

    def __init__(self, folder: str | Path, keep: int = 2, *, writes: bool = True) -> None:
        if keep < 1:
            raise EngramError(f"keep={keep}: keep at least 1 checkpoint")
        self.folder, self.keep = Path(folder), keep
        if not writes:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / f".probe-{os.getpid()}"
            _write(probe, b"")
            probe.unlink()
        except OSError as error:
            raise EngramError(
                f"checkpoints cannot be written to {self.folder} ({error.strerror}): choose "
                "another folder, or make this one writable"
            ) from error

    def check_space(self, size: int) -> None:
        """Check that the disk holds the checkpoints that are kept, and two more.

        Args:
            size: Bytes of one, in all its files.

        Raises:
            ValueError: If it does not.
        """
        free = shutil.disk_usage(self.folder).free
        there = sum(file.stat().st_size for file in self.folder.glob("step-*/**/*"))
        needed = (self.keep + 2) * size - there
        if needed > free:
            raise EngramError(
                f"{self.folder} has {free / 1e6:.0f} MB left, and {self.keep + 2} checkpoints of "
                f"{size / 1e6:.0f} MB need {needed / 1e6:.0f} MB: free some, or keep fewer"
            )

    def save(
        self, step: int, state: Mapping[str, Any], pieces: Mapping[str, Any] | None = None
    ) -> Path:
        """Save a state, then remove the checkpoints that are no longer kept.

        Args:
            step: Its step.
            state: Tensors, numbers, text, lists, tuples and dicts.
            pieces: Size and hash of the files that the processes have written since `begin`, by
                name; None if the state is whole.

        Returns:
            The folder of the checkpoint.

        Raises:
            ValueError: If it could not be written; the earlier checkpoints are then unchanged.
        """
        target = self.folder / f"step-{step:09d}"
        if _fault(target) is None:
            return target
        if pieces is None:
            self.begin(step)
        scratch = scratch_of(self.folder, step)
        with self._writing(step):
            with (scratch / STATE).open("wb") as file:
                torch.save(dict(state), file)
                file.flush()
                os.fsync(file.fileno())
            marker = {"format": WHOLE, "step": step, **facts(scratch / STATE)}
            if pieces is not None:
                _sync(scratch / PIECES)
                marker |= {"format": DIVIDED, PIECES: pieces}
            marker["digest"] = _digest(marker)
            scratch.rename(target)
            _write(target / f".{MARKER}", json.dumps(marker).encode())
            (target / f".{MARKER}").rename(target / MARKER)
            _sync(target)
            _sync(self.folder)
        self._remove_old()
        return target

    def begin(self, step: int) -> bool:
        """Make the folder in which a checkpoint is written.

        Args:
            step: Its step.

        Returns:
            Whether the checkpoint is still to be written.

        Raises:
            ValueError: If the folder cannot be made.
        """
        target, scratch = self.folder / f"step-{step:09d}", scratch_of(self.folder, step)
        if _fault(target) is None:
            return False
        with self._writing(step):
            for path in (target, scratch):
                if path.exists():
                    shutil.rmtree(path)
            scratch.mkdir()
        return True

    def fail(self, step: int, error: Exception) -> NoReturn:
        """Remove what was written of a checkpoint, and raise the error that says so.

        Raises:
            ValueError: Always.
        """
        shutil.rmtree(scratch_of(self.folder, step), ignore_errors=True)
        raise EngramError(
            f"the checkpoint of step {step} could not be written to {self.folder} "
            f"({error}); {self.last_good()}"
        ) from error

    @contextmanager
    def _writing(self, step: int) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:
            self.fail(step, error)

    def latest(self) -> dict[str, Any] | None:
        """Load the last whole checkpoint; None if there is none.

        A later one that is damaged or incomplete is named in a warning.

        Raises:
            ValueError: If it has another format.
        """
        return load_latest(self.folder)

    def last_good(self) -> str:
        """Name the last whole checkpoint in words."""
        whole = self._whole()
        return f"the last good checkpoint is {whole[0]}" if whole else "there is no checkpoint"

    def discard(self) -> None:
        """Remove all checkpoints."""
        for path in _all(self.folder):
            _remove(path)

    def _whole(self) -> list[Path]:
        return [path for path in _all(self.folder) if _fault(path) is None]

    def _remove_old(self) -> None:
        kept = self._whole()[: self.keep]
        for path in _all(self.folder):
            if path not in kept:
                _remove(path)


def load_latest(folder: Path) -> dict[str, Any] | None:
    """Load the last whole checkpoint of a folder, as `Checkpoints.latest` does.

    Args:
        folder: Folder of the checkpoints, which is only read.

    Raises:
        ValueError: If it has another format.
    """
    found = find_latest(folder)
    if found is None or found.pieces is None:
        return found and found.state
    return joined(found.state, read_pieces(found.pieces))


def find_latest(folder: Path) -> Found | None:
    """Find the last whole checkpoint of a folder, and load it without its pieces.

    Args:
        folder: Folder of the checkpoints, which is only read.

    Raises:
        ValueError: If it has another format.
    """
    damaged: list[str] = []
    for path in _all(folder):
        if fault := _fault(path, hashed=True):
            damaged.append(f"{path} is not read: {fault}")
            continue
        if damaged:
            warnings.warn(f"{'; '.join(damaged)}; continuing from {path}", stacklevel=2)
        found = _marker_of(path)["format"]
        if found not in FORMATS:
            raise EngramError(
                f"{path} has format {found} and this version reads {WHOLE} and {DIVIDED}: continue "
                "with the version that wrote it"
            )
        state = torch.load(path / STATE, map_location="cpu", weights_only=True)
        return Found(state, path / PIECES if found == DIVIDED else None)
    if damaged:
        warnings.warn(f"{'; '.join(damaged)}; starting from the beginning", stacklevel=2)
    return None


def scratch_of(folder: Path, step: int) -> Path:
    """The folder in which a checkpoint is written before it gets its name."""
    return folder / f".step-{step:09d}"


def state_size(state: Any) -> int:
    """Bytes of the tensors in a state."""
    return sum(x.numel() * x.element_size() for x in tree_leaves(state) if isinstance(x, Tensor))


def generators() -> dict[str, Any]:
    """The states of the generators of torch, NumPy and Python in this process."""
    name, words, *rest = np.random.get_state(legacy=True)  # noqa: NPY002  a model may use it
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": (name, torch.from_numpy(np.asarray(words, np.int64)), *rest),
        "python": random.getstate(),
    }


def restore_generators(state: Mapping[str, Any]) -> None:
    """Set the generators of this process to states from `generators`."""
    name, words, *rest = state["numpy"]
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
    words = words.numpy().astype(np.uint32)
    np.random.set_state((name, words, *rest))  # noqa: NPY002
    random.setstate(state["python"])


def _all(folder: Path) -> list[Path]:
    """The folders of checkpoints, the last one first."""
    return sorted(folder.glob("step-*"), reverse=True)


def _fault(path: Path, *, hashed: bool = False) -> str | None:
    """Why a checkpoint cannot be read; None if it is whole, by its sizes or also by its hashes."""
    if not (path / MARKER).is_file():
        return "it was not finished"
    try:
        marker = _marker_of(path)
        files = {STATE: marker} | {f"{PIECES}/{k}": v for k, v in marker.get(PIECES, {}).items()}
        for name, expected in files.items():
            file = path / name
            found = facts(file) if hashed else {"bytes": file.stat().st_size}
            if any(expected.get(key) != value for key, value in found.items()):
                return f"its {name} is damaged or truncated"
    except (OSError, ValueError) as error:
        return f"it is damaged ({error})"
    return None


def _marker_of(path: Path) -> dict[str, Any]:
    """The marker of a checkpoint.

    Raises:
        ValueError: If it is damaged.
    """
    marker = json.loads((path / MARKER).read_bytes())
    if not isinstance(marker, dict) or not isinstance(marker.get("format"), int):
        raise ValueError(f"{MARKER} names no format")
    if marker.pop("digest", (own := _digest(marker))) != own:
        raise ValueError(f"{MARKER} does not fit its own hash")
    return marker


def _digest(marker: Mapping[str, Any]) -> str:
    """The hash of a marker, apart from its own."""
    kept = {key: value for key, value in marker.items() if key != "digest"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def facts(file: Path) -> dict[str, Any]:
    """Size and hash of a file."""
    with file.open("rb") as opened:
        return {
            "bytes": file.stat().st_size,
            "sha256": hashlib.file_digest(opened, "sha256").hexdigest(),
        }


def _remove(path: Path) -> None:
    """Remove a checkpoint, its marker first, so that a kill leaves one that is not read."""
    (path / MARKER).unlink(missing_ok=True)
    shutil.rmtree(path)


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _sync(folder: Path) -> None:
    """Make the names in a folder durable, where folders can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
