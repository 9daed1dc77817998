"""The catalogue of an index: which file has which content, and which files are not read."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from engram.errors import EngramError
from engram.retrieval.library.segment import replace_file

NAME = "catalogue.json"
FORMAT = 1


class Seen(NamedTuple):
    """A file when it was last read.

    Attributes:
        size: Its bytes.
        mtime_ns: When it was changed, in nanoseconds.
        key: Key of its content; empty for a file that is not read.
        reason: Why it is not read; empty for a picture.
    """

    size: int
    mtime_ns: int
    key: str
    reason: str = ""


@dataclass
class Catalogue:
    """The files of an index.

    Args:
        model: The model of the vectors: its encoder and its head.
        side: Side of the pictures in pixels, as the encoder gets them.
        level: Score below which nothing is close; None until it was measured.
        files: The files by their absolute path.
        head: Name of the file of the head in the index; empty for a head without one.
    """

    model: str
    side: int
    level: float | None = None
    files: dict[str, Seen] = field(default_factory=dict)
    head: str = ""

    def save(self, store: Path) -> None:
        """Write the catalogue; after a kill it is the old or the new one.

        Args:
            store: Folder of the index.
        """
        content = {"format": FORMAT, "model": self.model, "side": self.side, "level": self.level}
        content["head"] = self.head
        content["files"] = {path: list(seen) for path, seen in self.files.items()}
        replace_file(store / NAME, json.dumps(content).encode())

    @property
    def pictures(self) -> dict[str, list[str]]:
        """The paths of each picture by its key, copies together, in the order of their names."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.files):
            if self.files[path].key:
                found.setdefault(self.files[path].key, []).append(path)
        return found


def load_catalogue(store: Path) -> Catalogue:
    """Read the catalogue of an index.

    Args:
        store: Folder of the index.

    Raises:
        ValueError: If there is none, or it is damaged.
    """
    path = store / NAME
    if not path.is_file():
        raise EngramError(f"there is no index in {store}; make one by `engram retrieval index DIR`")
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']} instead of {FORMAT}")
        level = content["level"]
        files = {name: _seen(values) for name, values in content["files"].items()}
        return Catalogue(
            _typed(content["model"], str),
            _typed(content["side"], int),
            None if level is None else _typed(level, float),
            files,
            _named(content["head"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngramError(
            f"{path} is not the catalogue of an index ({error}); delete the folder {store} and "
            "index again"
        ) from error


def _named(name: Any) -> str:
    """The name of a file in the index itself."""
    if _typed(name, str) != Path(name).name:
        raise TypeError(f"{name!r} is not the name of a file")
    return name


def _seen(values: Any) -> Seen:
    size, mtime_ns, key, reason = values
    return Seen(_typed(size, int), _typed(mtime_ns, int), _typed(key, str), _typed(reason, str))


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is not {kind.__name__}")
    return value
