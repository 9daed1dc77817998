"""Filters of pictures by folder, date and EXIF, which apply before the ranking."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from engram.errors import EngramError
from engram.retrieval.library.library import Entry


@dataclass(frozen=True)
class Filter:
    """Which pictures may be found.

    Args:
        folders: Folders, as paths or as names of folders anywhere; a picture must be in one.
        since: First day when it may have been taken, by its EXIF data.
        until: Last day.
        exif: Words that an EXIF field must contain, by the name of the field, in any case.

    Raises:
        ValueError: If the first day is after the last.
    """

    folders: Sequence[str] = ()
    since: date | None = None
    until: date | None = None
    exif: Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        if self.since and self.until and self.since > self.until:
            raise EngramError(f"since {self.since} is after until {self.until}; no day is left")

    def __call__(self, entry: Entry) -> bool:
        """Whether a picture may be found."""
        return bool(self.paths(entry)) and self._dated(entry) and self._described(entry)

    @property
    def is_empty(self) -> bool:
        """Whether every picture may be found."""
        return not (self.folders or self.since or self.until or self.exif)

    def paths(self, entry: Entry) -> list[str]:
        """The files of a picture in the folders.

        Args:
            entry: The picture.
        """
        if not self.folders:
            return entry.paths
        return [path for path in entry.paths if any(_inside(path, one) for one in self.folders)]

    def _dated(self, entry: Entry) -> bool:
        if self.since is None and self.until is None:
            return True
        day = entry.day
        if day is None:
            return False
        return (self.since or date.min) <= day <= (self.until or date.max)

    def _described(self, entry: Entry) -> bool:
        fields = {name.lower(): text.lower() for name, text in entry.facts.exif.items()}
        return all(words.lower() in fields.get(name.lower(), "") for name, words in self.exif)


def read_day(text: str, last: bool = False) -> date:
    """Read a year, a month or a day.

    Args:
        text: Such as 2024, 2024-05 or 2024-05-31.
        last: Whether the last day of a year or month is meant, instead of the first.

    Raises:
        ValueError: If it is none of these.
    """
    parts = text.split("-")
    try:
        year, month, day = (int(parts[i]) if i < len(parts) else 0 for i in range(3))
        if len(parts) > 3:
            raise ValueError(text)
        if last and not month:
            return date(year, 12, 31)
        if last and not day:
            following = date(year + month // 12, month % 12 + 1, 1)
            return date.fromordinal(following.toordinal() - 1)
        return date(year, month or 1, day or 1)
    except ValueError as error:
        raise EngramError(f"{text!r} is not a date; write 2024, 2024-05 or 2024-05-31") from error


def _inside(path: str, folder: str) -> bool:
    whole = os.path.abspath(Path(folder).expanduser())  # noqa: PTH100  links stay as they are
    resolved = str(Path(whole).resolve())
    name = folder.strip(os.sep)
    return path.startswith((whole + os.sep, resolved + os.sep)) or (
        bool(name) and f"{os.sep}{name}{os.sep}" in path
    )
