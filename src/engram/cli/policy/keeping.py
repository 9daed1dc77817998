"""Commands that manage a record: ingest it, list its sources, and push it to Solr."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from engram.cli.output import counting, print_json, print_path, print_rows, reading
from engram.cli.policy.asking import STORE, Name, located
from engram.cli.policy.checking import identity_rows
from engram.errors import EngramError

if TYPE_CHECKING:
    from engram.policy.ingestion import Ingestion, SourceOutcome
    from engram.policy.loader import TableFormat
    from engram.policy.store import SourceEntry, Store

Pair = Annotated[str, arg(metavar="FIELD=VALUE")]

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
        columns: For tables and texts of your own: the column of each field, such as date=Day
            speaker=Member text=Speech. The columns @name, @folder and @text are a file's name,
            its folder's name and its content.
        constants: For tables and texts of your own: fields with the same value in all of them,
            such as type=speech, source=hansard, or congress=from-date for a record of Congress.
        date_format: For tables and texts of your own: how dates are written, such as "%d %B %Y";
            2001-12-31 by default.
        encoding: For tables and texts of your own: their encoding; UTF-8 by default.
        json: Print JSON.
    """

    inputs: Positional[tuple[str, ...]] = ()
    store: str = STORE
    workers: int | str | None = None
    loaders: tuple[Name, ...] = ()
    limit: str = "16MiB"
    prune: bool = False
    columns: Annotated[tuple[Pair, ...], arg(name="map")] = ()
    constants: Annotated[tuple[Pair, ...], arg(name="constant")] = ()
    date_format: str | None = None
    encoding: str | None = None
    json: bool = False

    def __call__(self) -> int:
        """Ingest, and print what was added and how every file was handled.

        Returns:
            1 if no file of any input can be read, else 0.
        """
        from engram.policy import LOADERS, ingest  # noqa: PLC0415  not for --help

        loaders, more = _parted(self.loaders, lambda word: word in LOADERS)
        columns, others = _parted(self.columns, lambda word: "=" in word)
        constants, last = _parted(self.constants, lambda word: "=" in word)
        inputs = (*self.inputs, *more, *others, *last)
        if not inputs:
            raise EngramError("no input was given; name a folder, an archive or a file")
        if not all(name.strip("\0 ") for name in inputs):
            raise EngramError("the name of an input is empty; name a folder, an archive or a file")
        with reading() as progress:
            added = ingest(
                [located(name) for name in inputs],
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
        print_path(Path(self.store))
        return int(nothing)

    def _table(self, columns: Sequence[str], constants: Sequence[str]) -> "TableFormat | None":
        from engram.policy import TableFormat  # noqa: PLC0415  not for --help

        if not columns:
            given = constants or self.date_format or self.encoding
            if given:
                raise EngramError(
                    f"{given!r} is for tables of your own; map their columns by --map"
                )
            return None
        return TableFormat(_pairs(columns), _pairs(constants), self.date_format, self.encoding)


@dataclass(frozen=True)
class ShowSources:
    """Show how every input file was handled: read, superseded, quarantined or unread.

    Args:
        store: Folder or s3:// URL of the store.
        show: List each file or record with this outcome, with the reason.
        json: Print JSON.
    """

    store: str = STORE
    show: Literal["quarantined", "superseded", "noted", "unread"] | None = None
    json: bool = False

    def __call__(self) -> int:
        """Print the sources, or the requested list."""
        from engram.policy.store import Store  # noqa: PLC0415  not for --help

        store = Store(self.store)
        sources = _latest(store.manifest.sources)
        if self.show is None:
            content = _summary(store, sources)
            if self.json:
                print_json(content)
            else:
                _print_summary(content, self.store)
            return 0
        rows = list(_unread(store, sources) if self.show == "unread" else _said(store, self.show))
        if self.json:
            print_json({"store": self.store, self.show: rows})
            return 0
        for row in rows:
            _say("  ".join(filter(None, (row["reason"], row["origin"], row.get("detail", "")))))
        _say(f"{len(rows)} {self.show}")
        return 0


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
    return int(float(found[1]) * _UNITS.get(found[2], 1))


def _print_ingestion(added: "Ingestion", store: str) -> None:
    """Counts by outcome, then the reason for each input that gave nothing new or left out files."""
    rows: list[tuple[str, ...]] = [
        ("documents", name, str(count)) for name, count in added.documents.items()
    ]
    rows += [(_outcome_of(name), name, str(count)) for name, count in added.rejected.items()]
    for one in added.sources:
        if one.status == "already there":
            _say(f"nothing new: all {one.files:,} files of {one.location} are already in the store")
        elif one.status == "empty":
            _say(f"nothing read: {one.location} holds no files")
    rows += identity_rows(added)
    if rows:
        print_rows(rows)
    for one in added.sources:
        if one.unread:
            _print_unread(one)
    if any(one.status == "nothing readable" for one in added.sources):
        _print_loaders()
    lists = {_outcome_of(name) for name in added.rejected} - {"superseded"}
    lists |= {"unread"} if any(one.unread for one in added.sources) else set()
    for name in sorted(lists):
        _say(f"each {name}: engram policy sources --store {store} --show {name}")


def _print_unread(one: "SourceOutcome") -> None:
    """Number of files of an input that are not read, by kind, with reasons."""
    count = sum(one.unread.values())
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(one.kinds.items()))
    taken = "nothing read" if one.status == "nothing readable" else "unread"
    _say(
        f"{taken}: {count:,} of {count + one.files + one.beside:,} files of {one.location}: {kinds}"
    )
    for reason, number in one.unread.items():
        _say(f"  {number:,}: {reason}")


def _print_loaders() -> None:
    from engram.policy import LOADERS  # noqa: PLC0415  not for --help

    _say("the loaders:")
    print_rows((f"  {loader.name}", loader.description) for loader in LOADERS.values())


def _outcome_of(reason: str) -> str:
    """The outcome of a reason: quarantined, superseded, or noted."""
    from engram.policy.document import NOTED  # noqa: PLC0415  not for --help

    return "noted" if reason in NOTED else "superseded" if reason == "superseded" else "quarantined"


def _latest(sources: "Iterable[SourceEntry]") -> "list[SourceEntry]":
    """The sources as they were last read."""
    return list({(one.location, *one.settings["loaders"]): one for one in sources}.values())


def _summary(store: "Store", sources: "Sequence[SourceEntry]") -> dict[str, object]:
    """The content of a store, by outcome."""
    outcomes: dict[str, Counter[str]] = {"noted": Counter(), "superseded": Counter()}
    outcomes["quarantined"] = Counter()
    for reason, count in store.manifest.rejected.items():
        outcomes[_outcome_of(reason)][reason] += count
    read = [
        {
            "location": one.location,
            "files": one.files,
            "bytes": one.bytes,
            "unread": sum(one.unread.values()),
        }
        for one in sources
    ]
    return {
        "store": store.location,
        "sources": read,
        "documents": store.manifest.documents,
        **{name: dict(counts) for name, counts in outcomes.items()},
        "quarantine": store.shelf.path("quarantine"),
    }


def _print_summary(content: dict[str, object], store: str) -> None:
    sources = content["sources"]
    assert isinstance(sources, list)
    for one in sources:
        _say(f"{one['files']:>9,} files read, {one['unread']:,} unread  {one['location']}")
    for name in ("documents", "noted", "superseded", "quarantined"):
        counts = content[name]
        assert isinstance(counts, dict)
        print_rows((name, reason, f"{count:,}") for reason, count in counts.items())
    _say(f"quarantine: {content['quarantine']}")
    _say(f"each one: engram policy sources --store {store} --show quarantined (or unread, ...)")


def _said(store: "Store", outcome: str) -> "Iterable[dict[str, str]]":
    """The records of one outcome, from the quarantine."""
    return (one for one in store.rejections() if _outcome_of(one["reason"]) == outcome)


def _unread(store: "Store", sources: "Sequence[SourceEntry]") -> "Iterable[dict[str, str]]":
    """The files that no loader reads, of each source as it was last read."""
    from engram.policy.ingestion import shown  # noqa: PLC0415  not for --help

    for source in sources:
        for one in store.unread(source):
            origin = f"{source.location.rstrip('/')}/{shown(one['name'])}"
            yield {"reason": one["reason"], "origin": origin}


def _say(line: str) -> None:
    """Print a line unchanged, whatever its length."""
    Console().print(line, markup=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class PushToSolr:
    """Push a store to a Solr collection, and check the counts.

    Args:
        store: Folder or s3:// URL of the store.
        solr_url: Address of the collection; default: ENGRAM_SOLR_URL.
        shards: Number of shards of a new collection.
        prune: Remove documents that are not in the store.
        json: Print JSON.
    """

    store: str = STORE
    solr_url: str | None = None
    shards: int = 1
    prune: bool = False
    json: bool = False

    def __call__(self) -> int:
        """Push, and print the content of Solr."""
        from engram.policy.solr import Solr, push  # noqa: PLC0415  not for --help
        from engram.policy.store import Store  # noqa: PLC0415

        store = Store(self.store)
        with Solr(self.solr_url) as solr, counting("documents") as progress:
            done = push(store, solr, self.shards, self.prune, progress)
        if self.json:
            print_json({"url": solr.url} | asdict(done))
            return 0
        print_rows((name, str(count)) for name, count in asdict(done).items())
        Console().print(solr.url, markup=False, highlight=False, soft_wrap=True)
        return 0
