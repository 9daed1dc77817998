"""Report: what a study found, as data that is saved, loaded and rendered."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from rich.console import Console

from engram.report.item import Figure, Published, Scalar, Table
from engram.report.provenance import Provenance
from engram.series import Series

FORMAT = 1
"""Version of the layout of report.json."""


class Report:
    """What a study found: filled in piece by piece, saved at any moment.

    Args:
        name: Name of the study.
        title: Its title.
        question: The question it answers.
        provenance: Where the report comes from.
    """

    def __init__(
        self, name: str, title: str = "", question: str = "", provenance: Provenance | None = None
    ) -> None:
        self.name = name
        self.title = title or name
        self.question = question
        self.scalars: list[Scalar] = []
        self.tables: list[Table] = []
        self.series: list[Series] = []
        self.figures: list[Figure] = []
        self.notes: list[str] = []
        self.provenance = provenance or Provenance()

    def add(self, *items: Scalar | Table | Series | Figure) -> None:
        """Add scalars, tables, series and figures, each shown in the order it was added.

        Args:
            items: What to add. The series of a figure come before the figure.

        Raises:
            ValueError: If the report has an item of that kind and name, or if a figure draws a
                series that is missing or that has another axis or unit than its fellows.
        """
        for item in items:
            match item:
                case Scalar():
                    self._append(self.scalars, item, item.name)
                case Table():
                    self._append(self.tables, item, item.title)
                case Series():
                    self._append(self.series, item, item.name)
                case Figure():
                    self.drawn_by(item)
                    self._append(self.figures, item, item.title)
                case _:
                    raise ValueError(f"{item!r} is no Scalar, Table, Series or Figure; wrap it")

    def note(self, text: str) -> None:
        """Add a remark of a sentence or two.

        Notes are part of the fingerprint: a timing belongs in a volatile scalar.

        Args:
            text: The remark.
        """
        self.notes.append(text)

    def drawn_by(self, figure: Figure) -> list[Series]:
        """Return the series that a figure draws.

        Args:
            figure: A figure over series of this report.

        Raises:
            ValueError: If a series is missing, they differ in axis or unit, or a logarithmic
                index is asked for over names or dates.
        """
        known = {series.name: series for series in self.series}
        missing = [name for name in figure.series if name not in known]
        if missing:
            raise ValueError(
                f"figure {figure.title!r} draws {missing}, which the report lacks; "
                "add these series first"
            )
        drawn = [known[name] for name in figure.series]
        if len({(series.axis, series.index_unit, series.unit) for series in drawn}) > 1:
            raise ValueError(
                f"figure {figure.title!r} draws series of different axes or units; "
                "give each kind its own figure"
            )
        if figure.x_log and any(isinstance(x, str) for series in drawn for x in series.index):
            raise ValueError(
                f"figure {figure.title!r} has a logarithmic index over names; leave x_log out"
            )
        return drawn

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that the same settings, seed and data must give again, in hexadecimal."""
        kept = self.to_dict()
        for kind in ("scalars", "tables", "series"):
            kept[kind] = [item for item in kept[kind] if not item["volatile"]]
        kept["provenance"] = {key: kept["provenance"][key] for key in ("settings", "seed", "data")}
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dictionary that JSON can hold."""
        return {
            "format": FORMAT,
            "name": self.name,
            "title": self.title,
            "question": self.question,
            "scalars": [asdict(item) for item in self.scalars],
            "tables": [asdict(item) for item in self.tables],
            "series": [item.to_dict() for item in self.series],
            "figures": [asdict(item) for item in self.figures],
            "notes": list(self.notes),
            "provenance": asdict(self.provenance),
        }

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> Self:
        """Return the report that `to_dict` wrote, validated again.

        Args:
            entries: The dictionary.

        Raises:
            ValueError: If it has another format, or lacks an entry.
        """
        if not isinstance(entries, dict) or entries.get("format") != FORMAT:
            raise ValueError(f"not a report of format {FORMAT}; run the study again to write one")
        try:
            report = cls(
                entries["name"],
                entries["title"],
                entries["question"],
                Provenance(**entries["provenance"]),
            )
            report.add(*(_scalar(entry) for entry in entries["scalars"]))
            report.add(*(Table(**entry) for entry in entries["tables"]))
            report.add(*(Series.from_dict(entry) for entry in entries["series"]))
            report.add(*(Figure(**entry) for entry in entries["figures"]))
            report.notes.extend(entries["notes"])
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"the report is damaged ({error}); run the study again to write it"
            ) from error
        return report

    def save(self, folder: str | Path) -> Path:
        """Write report.json and report.html, each replaced in one step.

        Args:
            folder: Where to write; made if it is not there.

        Returns:
            The path of report.html.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        stored = self.to_dict() | {"fingerprint": self.fingerprint}
        text = json.dumps(stored, indent=1, ensure_ascii=False, allow_nan=False)
        _replace(folder / "report.json", text + "\n")
        return self.save_page(folder)

    def save_page(self, folder: str | Path) -> Path:
        """Write report.html only.

        Args:
            folder: Where to write.

        Returns:
            The path of report.html.
        """
        from engram.report.html import render  # noqa: PLC0415  matplotlib is slow to import

        return _replace(Path(folder) / "report.html", render(self))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a saved report.

        Args:
            path: The run's folder, or its report.json.

        Raises:
            ValueError: If there is no report, or it is not one.
        """
        path = Path(path)
        if path.is_dir():
            path = path / "report.json"
        if not path.is_file():
            raise ValueError(f"no report at {path}; give a run's folder or its report.json")
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def render(self, console: Console) -> None:
        """Print the scalars, the tables and the notes.

        Args:
            console: Where to print.
        """
        from engram.report.terminal import print_report  # noqa: PLC0415  it knows this class

        print_report(self, console)

    @staticmethod
    def _append(items: list[Any], item: Any, name: str) -> None:
        names: Sequence[str] = [getattr(old, "name", None) or old.title for old in items]
        if name in names:
            kind = type(item).__name__.lower()
            raise ValueError(f"the report has a {kind} {name!r} already; give it another name")
        items.append(item)


def _scalar(entry: dict[str, Any]) -> Scalar:
    published = entry["published"] and Published(**entry["published"])
    return Scalar(**{**entry, "published": published})


def _replace(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft.replace(path)
