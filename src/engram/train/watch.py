"""What people look at during a training: metrics as JSON lines, and TensorBoard."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, final

from engram.errors import MissingPackageError

Log = Callable[[int, Mapping[str, float]], None]
"""Called with the number of steps taken and values by name."""


@final
class Metrics:
    """Values by step, one JSON object per line.

    Args:
        path: The file; lines of steps after `step` are removed, which a resumed run writes again.
        step: The step at which the run begins.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        kept = []
        if path.exists():
            kept = [line for line in path.read_text().splitlines() if _reached(line, step)]
        scratch = path.with_name(f".{path.name}")  # a kill leaves the old file or the new one
        scratch.write_text("".join(f"{line}\n" for line in kept))
        scratch.replace(path)
        self._file = path.open("a")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        """Write a line; a value that is not finite becomes null."""
        plain = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._file.write(json.dumps({"step": step, **plain}) + "\n")
        self._file.flush()


def tensorboard(folder: str | Path) -> Log:
    """Return a `Log` that writes files for TensorBoard.

    Args:
        folder: Their folder.

    Raises:
        MissingPackageError: If the package tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  an optional package
    except ImportError as error:
        raise MissingPackageError(
            "files for TensorBoard need the package tensorboard: pip install 'engram[tensorboard]'"
        ) from error
    writer: Any = SummaryWriter(str(folder))

    def log(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return log


def _reached(line: str, step: int) -> bool:
    try:
        return json.loads(line)["step"] <= step
    except ValueError:
        return False  # the last line of a run that was killed
