"""Shared code of the querying commands: flags, the engine, and parsing of queries."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Literal, TypeAlias

from tyro.conf import UseAppendAction, arg

from engram.cli.words import Several
from engram.errors import EngramError
from engram.policy.engine import Engine
from engram.policy.measure import Measurement
from engram.policy.measure.measurement import Measure, Method
from engram.policy.opening import EngineName, open_engine
from engram.policy.query import Query, QueryError, read
from engram.policy.store import StoreError
from engram.progress import working

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

STORE = "record"
"""The default store."""

WIDEST = 100_000
"""Most characters that a passage shows on each side."""

Name = Annotated[str, arg(metavar="NAME")]
Names = Annotated[tuple[Name, ...], UseAppendAction, Several()]
"""Names that may be any words; the option is given once for each."""


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
    engine: EngineName = "embedded"
    solr_url: str | None = None
    json: bool = False

    @contextmanager
    def opened(self) -> Iterator[Engine]:
        """Context with the engine."""
        with (
            offer_a_record(self.store),
            open_engine(self.store, self.engine, self.solr_url) as engine,
            working("counting"),
        ):
            yield engine


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
    names: Names = ()
    seed: int = 0

    @property
    def how(self) -> Measurement:
        """What is measured."""
        return Measurement(self.measure, self.interval, seed=self.seed)

    @property
    def grouping(self) -> str | None:
        """The grouping, as `frequency` takes it."""
        return None if self.by == "all" else self.by


@contextmanager
def offer_a_record(store: str) -> Iterator[None]:
    """Say how to make a record, if the default one is asked and there is none."""
    try:
        yield
    except StoreError as error:
        if store != STORE or Path(STORE).exists():
            raise
        offer = "`engram policy ingest sotu` makes one of the annual messages of the presidents"
        raise EngramError(f"{error}; {offer}, which come with Engram") from error


def check_width(width: int | None) -> None:
    """Refuse a number of characters that no passage can have on its left and right.

    Args:
        width: The number; None leaves it to the line.

    Raises:
        ValueError: If it is negative or too large.
    """
    if width is not None and not 0 <= width <= WIDEST:
        raise EngramError(f"width is {width}; give 0 to {WIDEST} characters")


def check_writable(folder: Path) -> None:
    """Create a folder and check that it is writable, before anything is computed.

    Args:
        folder: The folder.

    Raises:
        OSError: If it cannot be created or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


def name_queries(queries: Sequence[str], names: Sequence[str] = ()) -> dict[str, Query]:
    """Return the parsed queries by name; an error shows its position in the query."""
    if not queries:
        raise EngramError("no query was given; give one, such as '\"tax cut\"'")
    if names and len(names) != len(queries):
        given = f"number of names: {len(names)}, number of queries: {len(queries)}"
        raise EngramError(f"{given}; give each query one name, or leave --names out")
    if not all(name.strip() for name in names):
        raise EngramError("a name is empty; give each query a name of a letter or more")
    parsed: list[Query] = []
    for query in queries:
        try:
            parsed.append(read(query))
        except QueryError as error:
            shown = "".join(" " if letter.isspace() else letter for letter in query)
            raise EngramError(f"{error}\n  {shown}\n  {' ' * error.position}^") from error
    named = dict(zip(names or queries, parsed, strict=True))
    if len(named) < len(queries):
        raise EngramError(f"{list(names or queries)} contain duplicates; give each query only once")
    return named
