"""Report: the results of a study, as data."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

from engram.errors import EngramError
from engram.report.item import Figure, Picture, Published, Scalar, Table
from engram.report.provenance import Provenance
from engram.series import Series

FORMAT = 2
"""Version of the layout of report.json; 1 had no answer, sections and chapters."""


Item = Scalar | Table | Series | Figure | Picture
Place = tuple[str, str | int]
"""An item of a report: its kind, and its name, or the position of a note."""


class Section:
    """Items of a report that are shown together, in the order in which they were added.

    Args:
        report: The report that holds the items.
        title: Title of the section; unique in the report.
    """

    def __init__(self, report: "Report", title: str) -> None:
        self._report = report
        self.title = title
        self.places: list[Place] = []

    def add(self, *items: Item) -> None:
        """Add scalars, tables, series, figures and pictures to the report and this section.

        Args:
            items: As in `Report.add`.

        Raises:
            ValueError: As in `Report.add`.
        """
        for item in items:
            self._report.add(item)
            if not isinstance(item, Series):  # a figure shows it
                self.places.append((type(item).__name__.lower(), name_of(item)))

    def note(self, text: str) -> None:
        """Add a remark to the report and to this section."""
        self.places.append(("note", len(self._report.notes)))
        self._report.note(text)

    @property
    def items(self) -> list[Scalar | Table | Figure | Picture | str]:
        """The items of the section, in order; a note is its text."""
        report = self._report
        held: dict[Place, Scalar | Table | Figure | Picture | str] = {
            (type(item).__name__.lower(), name_of(item)): item
            for item in (*report.scalars, *report.tables, *report.figures, *report.pictures)
        }
        held |= {("note", i): text for i, text in enumerate(report.notes)}
        return [held[place] for place in self.places]


class Report:
    """The results of a study; it is filled piece by piece and can be saved at any time.

    Items without a section are shown by kind: scalars, figures, tables, notes. Sections follow in
    the order in which they were created, then chapters, each of which is a complete report.

    Args:
        name: Name of the study.
        title: Its title.
        question: The question that it answers.
        provenance: Settings, data, software and hardware that the results come from.
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
        self.pictures: list[Picture] = []
        self.notes: list[str] = []
        self.conclusion = ""
        self.sections: list[Section] = []
        self.chapters: list[Report] = []
        self.provenance = provenance or Provenance()

    def answer(self, sentence: str) -> None:
        """Set the conclusion, which is shown first: one sentence with a number and its interval.

        It is not part of the fingerprint, which covers the numbers.

        Args:
            sentence: The conclusion; it replaces an earlier one.
        """
        self.conclusion = sentence

    def section(self, title: str) -> Section:
        """Return the section with this title, which is created if it does not exist."""
        known = {section.title: section for section in self.sections}
        if title not in known:
            known[title] = Section(self, title)
            self.sections.append(known[title])
        return known[title]

    def chapter(self, report: "Report") -> None:
        """Add another report as a chapter, with its own names, answer and provenance.

        Args:
            report: The report.

        Raises:
            ValueError: If the report already has a chapter with that title.
        """
        self._append(self.chapters, report, report.title)

    @property
    def loose(self) -> "Report":
        """A report of the items without a section."""
        placed = {place for section in self.sections for place in section.places}
        rest = Report(self.name, self.title, self.question, self.provenance)
        for kind, items in (
            ("scalar", self.scalars),
            ("table", self.tables),
            ("figure", self.figures),
            ("picture", self.pictures),
        ):
            kept = [item for item in items if (kind, name_of(item)) not in placed]
            getattr(rest, f"{kind}s").extend(kept)
        rest.series = self.series
        rest.notes = [text for i, text in enumerate(self.notes) if ("note", i) not in placed]
        return rest

    def add(self, *items: Item) -> None:
        """Add scalars, tables, series, figures and pictures, which are shown in this order.

        Args:
            items: The items; the series of a figure must precede the figure.

        Raises:
            ValueError: If the report already has an item of that kind and name, or a figure draws
                series that are missing or differ in axis or unit.
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
                case Picture():
                    self._append(self.pictures, item, item.title)
                case _:
                    raise EngramError(
                        f"{item!r} is not a Scalar, Table, Series, Figure or Picture; wrap it"
                    )

    def note(self, text: str) -> None:
        """Add a remark of one or two sentences.

        Notes are part of the fingerprint; report a timing as a volatile scalar instead.
        """
        self.notes.append(text)

    def drawn_by(self, figure: Figure) -> list[Series]:
        """Return the series that a figure draws.

        Args:
            figure: A figure over series of this report.

        Raises:
            ValueError: If a series is missing, the series differ in axis or unit, or the index is
                logarithmic but consists of names or dates.
        """
        known = {series.name: series for series in self.series}
        missing = [name for name in figure.series if name not in known]
        if missing:
            raise EngramError(
                f"figure {figure.title!r} draws {missing}, which are not in the report; "
                "add these series first"
            )
        drawn = [known[name] for name in figure.series]
        if len({(series.axis, series.index_unit, series.unit) for series in drawn}) > 1:
            raise EngramError(
                f"figure {figure.title!r} draws series of different axes or units; "
                "give each kind its own figure"
            )
        if figure.x_log and any(isinstance(x, str) for series in drawn for x in series.index):
            raise EngramError(
                f"figure {figure.title!r} has a logarithmic index over names; leave x_log out"
            )
        return drawn

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of all content that settings, seed and data determine.

        The arrangement of the items is excluded, so a report of format 1 keeps its fingerprint.
        """
        kept: dict[str, Any] = self._content() | {"format": 1}
        for kind in ("scalars", "tables", "series"):
            kept[kind] = [item for item in kept[kind] if not item["volatile"]]
        source = asdict(self.provenance)
        kept["provenance"] = {key: source[key] for key in ("settings", "seed", "data")}
        if self.chapters:
            kept["chapters"] = [chapter.fingerprint for chapter in self.chapters]
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dictionary that JSON can hold."""
        return {
            "format": FORMAT,
            "answer": self.conclusion,
            "sections": [
                {"title": section.title, "items": [list(place) for place in section.places]}
                for section in self.sections
            ],
            "chapters": [chapter.to_dict() for chapter in self.chapters],
            "provenance": asdict(self.provenance),
            **({"pictures": [asdict(item) for item in self.pictures]} if self.pictures else {}),
        } | self._content()

    def _content(self) -> dict[str, Any]:
        """The content of the report, without its arrangement and its provenance."""
        return {
            "name": self.name,
            "title": self.title,
            "question": self.question,
            "scalars": [asdict(item) for item in self.scalars],
            "tables": [asdict(item) for item in self.tables],
            "series": [item.to_dict() for item in self.series],
            "figures": [asdict(item) for item in self.figures],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> Self:
        """Return the report that `to_dict` wrote, validated again.

        Args:
            entries: The dictionary.

        Raises:
            ValueError: If it has another format, or an entry is missing.
        """
        if not isinstance(entries, dict) or entries.get("format") not in {1, FORMAT}:
            raise EngramError(
                f"not a report of format 1 or {FORMAT}; run the study again to write one"
            )
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
            report.add(*(Picture(**entry) for entry in entries.get("pictures", ())))
            report.notes.extend(entries["notes"])
            if entries["format"] == FORMAT:
                report._arrange(entries)
        except (KeyError, TypeError) as error:
            raise EngramError(
                f"the report is damaged ({error}); run the study again to write it"
            ) from error
        return report

    def _arrange(self, entries: dict[str, Any]) -> None:
        """Restore the answer, the sections and the chapters from what `to_dict` wrote."""
        self.conclusion = entries["answer"]
        for stored in entries["sections"]:
            section = self.section(stored["title"])
            section.places = [(kind, name) for kind, name in stored["items"]]
            _ = section.items  # raises KeyError if an item is missing
        for chapter in entries["chapters"]:
            self.chapter(Report.from_dict(chapter))

    @staticmethod
    def _append(items: list[Any], item: Any, name: str) -> None:
        names: Sequence[str] = [name_of(old) for old in items]
        if name in names:
            kind = type(item).__name__.lower()
            raise EngramError(f"the report already has a {kind} {name!r}; choose another name")
        items.append(item)


def name_of(item: "Item | Report") -> str:
    """The title of an item, or its name if it has no title."""
    return getattr(item, "title", None) or item.name  # pyright: ignore[reportAttributeAccessIssue]


def _scalar(entry: dict[str, Any]) -> Scalar:
    published = entry["published"] and Published(**entry["published"])
    return Scalar(**{**entry, "published": published})
