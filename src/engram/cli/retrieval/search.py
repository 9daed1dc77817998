"""`engram retrieval search`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from rich.text import Text
from tyro.conf import Positional, UseAppendAction, arg

from engram.cli.output import print_json, print_line
from engram.cli.words import Several
from engram.errors import EngramError
from engram.retrieval.filters import Filter, read_day
from engram.retrieval.library import Library
from engram.retrieval.query import Term, combine, is_foreign, parse
from engram.retrieval.sheet import contact_sheet
from engram.studies.picture_search import STORE, opened


def _is_pair(word: str) -> bool:
    return "=" in word


Pairs = Annotated[
    tuple[Annotated[str, arg(metavar="FIELD=WORDS")], ...], UseAppendAction, Several(_is_pair)
]
Names = Annotated[tuple[Annotated[str, arg(metavar="NAME")], ...], UseAppendAction, Several()]


@dataclass(frozen=True)
class SearchPictures:
    """Find pictures by words, by pictures, or by sums of them.

    Filters apply before the ranking. Nothing leaves this machine.

    Args:
        query: Words, such as "a dog in the snow", or a sum, such as '"dog" + snow.jpg - "grass"'.
        image: Pictures that are added to the query.
        store: Folder of the index made by `engram retrieval index`.
        limit: Maximum number of pictures.
        folder: Only pictures in this folder: a path, or the name of a folder anywhere.
        since: Only pictures taken on this day or later by their EXIF data, such as 2024-05-31,
            2024-05 or 2024.
        until: Only pictures taken on this day or earlier.
        exif: Only pictures whose EXIF field contains these words, such as Model=Pixel.
        html: File to write a page with thumbnails to.
        json: Print JSON.
    """

    query: Positional[tuple[str, ...]] = ()
    image: Annotated[
        tuple[Annotated[Path, arg(metavar="FILE")], ...], UseAppendAction, Several()
    ] = ()
    store: Path = STORE
    limit: int = 10
    folder: Names = ()
    since: str | None = None
    until: str | None = None
    exif: Pairs = ()
    html: Path | None = None
    json: bool = False

    def __call__(self) -> int:
        """Search, and print the pictures."""
        words = " ".join(self.query)
        terms = parse(words) if words or not self.image else []
        terms += [Term(1, str(path), True) for path in self.image]
        keep = self._filter()
        library, models = opened(self.store)
        vector = combine(terms, models.head.texts, models.pictures)
        hits = library.search(vector, self.limit, keep=None if keep.is_empty else keep)
        rows = [_row(library, keep, key, score) for key, score in hits]
        level = None if any(term.is_picture for term in terms) else library.catalogue.level
        content: dict[str, Any] = {
            "query": [str(term) for term in terms],
            "ranked_by": models.head.name,
            "level": level,
            "close": None if level is None else bool(rows) and rows[0]["score"] >= level,
            "compared": hits.total,
            "notes": _notes(terms, rows, level, hits.total or 0, len(library)),
            "hits": rows,
        }
        if self.html is not None:
            self._write_sheet(self.html, terms, content)
        if self.json:
            print_json(content)
        else:
            _show(content)
        return 0

    def _filter(self) -> Filter:
        return Filter(
            self.folder,
            read_day(self.since) if self.since else None,
            read_day(self.until, last=True) if self.until else None,
            [_pair(words) for words in self.exif],
        )

    def _write_sheet(self, path: Path, terms: Sequence[Term], content: dict[str, Any]) -> None:
        hits = [(row["path"], f"{row['score']:.3f}") for row in content["hits"]]
        notes = [f"Ranked by {content['ranked_by']}.", *content["notes"]]
        page = contact_sheet(_said(terms), hits, notes)
        path.write_text(page, encoding="utf-8", errors="backslashreplace")


def _row(library: Library, keep: Filter, key: str, score: float) -> dict[str, Any]:
    entry = library.entry(key)
    paths = keep.paths(entry)
    return {
        "score": round(score, 4),
        "path": paths[0],
        "copies": paths[1:],
        "there": Path(paths[0]).is_file(),
        "taken": entry.facts.taken or None,
        "width": entry.facts.width,
        "height": entry.facts.height,
        "exif": entry.facts.exif,
    }


def _notes(
    terms: Sequence[Term],
    rows: Sequence[dict[str, Any]],
    level: float | None,
    compared: int,
    pictures: int,
) -> list[str]:
    notes = []
    if level is not None and rows and rows[0]["score"] < level:
        notes.append(
            f"Nothing close: the best score is {rows[0]['score']:.3f}, and texts that no picture "
            f"shows reach up to {level:.3f}."
        )
    if not rows:
        notes.append("No picture passes the filters.")
    if compared < pictures:
        notes.append(f"{compared:,} of {pictures:,} pictures pass the filters.")
    if any(is_foreign(term.text) for term in terms if not term.is_picture):
        notes.append(
            "The query seems to be in another language; the text encoder reads English, and "
            "these scores mean little."
        )
    return notes


def _said(terms: Sequence[Term]) -> str:
    words = " ".join(map(str, terms)).removeprefix("+ ")
    return words.strip('"') if len(terms) == 1 else words


def _pair(words: str) -> tuple[str, str]:
    name, equals, text = words.partition("=")
    if not (name and equals and text):
        raise EngramError(f"--exif {words!r} is not FIELD=WORDS, such as Model=Pixel")
    return name, text


def _show(content: dict[str, Any]) -> None:
    console = Console()
    for row in content["hits"]:
        more = f"  and {len(row['copies'])} copies" if row["copies"] else ""
        gone = "" if row["there"] else "  (not there now)"
        console.print(Text(f"{row['score']:.3f}  {row['path']}{more}{gone}"), soft_wrap=True)
    for note in content["notes"]:
        print_line(note)
    print_line(f"Ranked by {content['ranked_by']}.")
