"""The record that the study reads: the annual messages, other corpora, a store, a generated one."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from platformdirs import user_cache_path

from engram import __version__, data
from engram.errors import EngramError
from engram.policy import segment
from engram.policy.embedded import EmbeddedEngine
from engram.policy.engine import Engine
from engram.policy.ingestion.ingest import ingest
from engram.policy.manifest import FORMAT
from engram.policy.relate import read_indicators
from engram.policy.store import Store
from engram.series import Series
from engram.studies.tax_language.language import WORDINGS
from engram.studies.tax_language.planted import Planting, planted_record

EMBEDDED = "sotu"
"""The corpus included in Engram."""
ANNUAL_ONLY = (
    "Annual messages only: one document a year, in which a president makes requests to Congress. "
    "They do not represent what Congress, the press or the public said, and in a year with one "
    "short message the rate depends on the topics of that message."
)
"""Note on that corpus for the reader."""


class Record(NamedTuple):
    """A record with its indicators.

    Args:
        engine: Answers queries over the record.
        indicators: The indicators.
        sha256: Hashes of what was read.
        notes: Notes for the reader.
        plantings: The planted relations of a generated record.
    """

    engine: Engine
    indicators: list[Series]
    sha256: dict[str, str]
    notes: list[str]
    plantings: tuple[Planting, ...] = ()


@contextmanager
def open_record(
    store: str | None,
    corpora: tuple[str, ...],
    indicators: tuple[str, ...],
    generated: bool,
    seed: int,
    workers: int,
) -> Iterator[Record]:
    """Open the record of a run.

    Args:
        store: A store to read, as a path or URL; None uses the corpora.
        corpora: Names of the sources to ingest, once, into the user's cache.
        indicators: Names of the indicators.
        generated: Whether to generate a record instead.
        seed: Seed of a generated record.
        workers: Number of processes for ingestion.

    Yields:
        The record.

    Raises:
        ValueError: If the store, or an indicator for a real record, cannot be read, or none of the
            corpora is on this computer.
    """
    if generated:
        with (
            TemporaryDirectory(prefix="engram-") as folder,
            generate(Path(folder), seed) as record,
        ):
            yield record
        return
    series, of_tables = read_indicators(indicators)
    found = {} if store else _found(corpora)
    location, hashes = (store, {}) if store else _ingested(found, workers)
    opened = Store(location)
    engine = EmbeddedEngine(opened.segments(), notes=opened.manifest.notes())
    try:
        notes = [_describe(opened, store or _named(corpora, found))]
        if tuple(found) == (EMBEDDED,):
            notes.append(ANNUAL_ONLY)
        yield Record(engine, series, hashes | of_tables, notes)
    finally:
        engine.close()


def _found(corpora: tuple[str, ...]) -> dict[str, Path]:
    found, missing = {}, []
    for name in corpora:
        try:
            found[name] = data.path(name)
        except data.DataError as error:
            missing.append(str(error))  # some of the corpora suffice; `_named` lists them
    if not found:
        raise EngramError(
            f"{'; '.join(missing) or 'no corpus was given'}; or use the annual messages included "
            f"in Engram, {EMBEDDED!r}, or a generated record"
        )
    return found


def _ingested(found: dict[str, Path], workers: int) -> tuple[Path, dict[str, str]]:
    """The store of these corpora in the user's cache, completed if necessary."""
    hashes = {
        name if path.is_dir() else path.name: data.sha256_of(path) for name, path in found.items()
    }
    # of this format and version: a store of an earlier one is left, and not read
    identity = [str(FORMAT), __version__, *sorted(hashes.values())]
    digest = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]
    store = user_cache_path("engram", appauthor=False) / "policy" / digest
    ingest(list(found.values()), store, workers=workers)
    return store, hashes


@contextmanager
def generate(folder: Path, seed: int) -> Iterator[Record]:
    """Generate a record with known relations.

    Args:
        folder: Folder for its segment.
        seed: Seed of the generated data.

    Yields:
        The record.
    """
    planted = planted_record(WORDINGS, np.random.default_rng(seed))
    path = folder / "generated.sqlite"
    segment.write(path, planted.documents)
    note = (
        "This record is generated, as requested: it carries no information about the United "
        "States. It has two planted relations and four nonsense indicators, and shows whether the "
        "study finds the former and not the latter."
    )
    engine = EmbeddedEngine([path])
    try:
        yield Record(engine, list(planted.indicators), {}, [note], planted.plantings)
    finally:
        engine.close()


def _named(corpora: tuple[str, ...], found: dict[str, Path]) -> str:
    terms = data.CATALOGUE
    missing = [name for name in corpora if name not in found]
    sources = ", ".join(f"{name} ({terms[name].licence})" for name in found)
    return f"{sources}; {', '.join(missing)} not on this computer" if missing else sources


def _describe(store: Store, sources: str) -> str:
    manifest = store.manifest
    rejected = sum(manifest.rejected.values())
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(manifest.rejected.items()))
    return (
        f"Record: {sources}. {sum(manifest.documents.values())} documents; {rejected} records "
        f"rejected{f': {reasons}' if rejected else ''}."
    )
