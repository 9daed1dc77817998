"""`engram policy ingest`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from engram import data
from engram.cli.output import print_json, print_line, print_rows
from engram.cli.policy.asking import STORE, Name
from engram.cli.policy.sources import outcome_of
from engram.cli.words import Several
from engram.errors import EngramError
from engram.policy import LOADERS, TableFormat, ingest
from engram.policy.ingestion import Ingestion, SourceOutcome
from engram.progress import bars


def _is_pair(word: str) -> bool:
    return "=" in word


Pair = Annotated[str, arg(metavar="FIELD=VALUE")]
Pairs = Annotated[tuple[Pair, ...], UseAppendAction, Several(_is_pair)]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(|B|kB|KB|MB|GB|KiB|MiB|GiB)")
_UNITS = {"kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@dataclass(frozen=True)
class Ingest:
    """Read files of the record into a store; files already in it are skipped.

    Args:
        inputs: Folders, archives (zip, tar) or files, as paths or s3:// URLs; or `sotu`, the
            annual messages included in Engram, or another source of `engram data list`.
        store: Folder or s3:// URL of the store; created if it does not exist.
        workers: Local processes, or the address of a Dask scheduler; default: the number of cores.
        loaders: Loaders to use; all by default.
        limit: Maximum size of a record, such as 64MB.
        prune: Remove documents whose file is no longer in its input.
        map: For tables and texts of your own: the column of each field, such as date=Day
            speaker=Member text=Speech. The columns @name, @folder and @text are a file's name,
            its folder's name and its content.
        constant: For tables and texts of your own: fields with the same value in all of them,
            such as type=speech, source=hansard, or congress=from-date for a record of Congress.
        date_format: For tables and texts of your own: how dates are written, such as "%d %B %Y";
            2001-12-31 by default.
        encoding: For tables and texts of your own: their encoding; UTF-8 by default.
        json: Print JSON.
    """

    inputs: Positional[tuple[str, ...]] = ()
    store: str = STORE
    workers: int | str | None = None
    loaders: Annotated[tuple[Name, ...], UseAppendAction, Several(LOADERS.__contains__)] = ()
    limit: str = "16MiB"
    prune: bool = False
    map: Pairs = ()
    constant: Pairs = ()
    date_format: str | None = None
    encoding: str | None = None
    json: bool = False

    def __call__(self) -> int:
        """Ingest, and print what was added and how every file was handled.

        Returns:
            1 if no file of any input can be read, else 0.
        """
        loaders, more = _parted(self.loaders, LOADERS.__contains__)
        columns, others = _parted(self.map, _is_pair)
        constants, last = _parted(self.constant, _is_pair)
        inputs = (*self.inputs, *more, *others, *last)
        if not inputs:
            raise EngramError("no input was given; name a folder, an archive or a file")
        if not all(name.strip("\0 ") for name in inputs):
            raise EngramError("the name of an input is empty; name a folder, an archive or a file")
        with bars() as progress:
            added = ingest(
                [_located(name) for name in inputs],
                self.store,
                workers=self.workers,
                loaders=loaders or None,
                limit=_size(self.limit),
                prune=self.prune,
                table=self._table(columns, constants),
                progress=progress,
            )
        nothing = all(one.status in ("nothing readable", "empty") for one in added.sources)
        if self.json:
            print_json({"store": self.store} | asdict(added))
            return int(nothing)
        _print_ingestion(added, self.store)
        print_line(self.store)
        return int(nothing)

    def _table(self, columns: Sequence[str], constants: Sequence[str]) -> TableFormat | None:
        if not columns:
            given = constants or self.date_format or self.encoding
            if given:
                raise EngramError(
                    f"{given!r} is for tables of your own; map their columns by --map"
                )
            return None
        return TableFormat(_pairs(columns), _pairs(constants), self.date_format, self.encoding)


def _located(name: str) -> str:
    """Location of an input: a path, or else a source of the catalogue.

    Args:
        name: A path, a URL or the name of a source.
    """
    entry = data.CATALOGUE.get(name)
    known = entry is not None and entry.read is None and not Path(name).exists()
    return str(data.path(name)) if known else name


def _parted(words: Sequence[str], ours: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Separate the values of an option from the paths after them: an option takes all words."""
    return [word for word in words if ours(word)], [word for word in words if not ours(word)]


def _pairs(words: Sequence[str]) -> dict[str, str]:
    pairs = dict(word.split("=", 1) for word in words)
    if len(pairs) < len(words):
        raise EngramError(f"{' '.join(words)}: a field was given twice; give each once")
    return pairs


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise EngramError(f"limit is {text!r}; give a number of bytes, such as 64MB")
    return int(Decimal(found[1]) * _UNITS.get(found[2], 1))


def _print_ingestion(added: Ingestion, store: str) -> None:
    """Counts by outcome, then the reason for each input that gave nothing new or left out files."""
    rows: list[tuple[str, ...]] = [
        ("documents", name, str(count)) for name, count in added.documents.items()
    ]
    rows += [(outcome_of(name), name, str(count)) for name, count in added.rejected.items()]
    for one in added.sources:
        if one.status == "already there":
            print_line(
                f"nothing new: all {one.files:,} files of {one.location} are already in the store"
            )
        elif one.status == "empty":
            print_line(f"nothing read: {one.location} holds no files")
    rows += _identity_rows(added)
    if rows:
        print_rows(rows)
    for one in added.sources:
        if one.unread:
            _print_unread(one)
    if any(one.status == "nothing readable" for one in added.sources):
        _print_loaders()
    lists = {outcome_of(name) for name in added.rejected} - {"superseded"}
    lists |= {"unread"} if any(one.unread for one in added.sources) else set()
    for name in sorted(lists):
        print_line(f"each {name}: engram policy sources --store {store} --show {name}")


def _identity_rows(added: Ingestion) -> list[tuple[str, ...]]:
    """Versions and duplicates found by an ingestion, for a table.

    Args:
        added: The result of the ingestion.
    """
    counts = {
        "updated": added.updated,
        "already there": added.unchanged,
        "older than the store's": added.older,
        "twice in an input": added.repeated,
        "no longer in the input": added.left,
        "in two sources": added.doubles.two_sources,
        "twice in one source": added.doubles.one_source,
    }
    return [("documents", name, str(count)) for name, count in counts.items() if count]


def _print_unread(one: SourceOutcome) -> None:
    """Number of files of an input that are not read, by kind, with reasons."""
    count = sum(one.unread.values())
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(one.kinds.items()))
    taken = "nothing read" if one.status == "nothing readable" else "unread"
    print_line(
        f"{taken}: {count:,} of {count + one.files + one.beside:,} files of {one.location}: {kinds}"
    )
    for reason, number in one.unread.items():
        print_line(f"  {number:,}: {reason}")


def _print_loaders() -> None:
    print_line("the loaders:")
    print_rows((f"  {loader.name}", loader.description) for loader in LOADERS.values())
