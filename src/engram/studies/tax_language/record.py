"""The record that the study reads: the user's store, the corpora, or a generated one."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from platformdirs import user_cache_path

from engram import data
from engram.policy.embedded import EmbeddedEngine, segment
from engram.policy.engine import Engine
from engram.policy.ingestion.ingest import ingest
from engram.policy.planted import Planting, planted_record
from engram.policy.relate import read_indicators
from engram.policy.store import Store
from engram.series import Series
from engram.studies.tax_language.language import WORDINGS


class Record(NamedTuple):
    """A record and the indicators beside it.

    Args:
        engine: Answers queries over the record.
        indicators: The indicators.
        sha256: Hashes of what was read.
        notes: What a reader must know of it.
        plantings: What is planted, in a generated record.
    """

    engine: Engine
    indicators: list[Series]
    sha256: dict[str, str]
    notes: list[str]
    plantings: tuple[Planting, ...] = ()


@contextmanager
def open_record(
    store: str | None, corpora: tuple[str, ...], generated: bool, seed: int, workers: int
) -> Iterator[Record]:
    """Open the record of a run.

    Args:
        store: A store to read, as a path or URL; the corpora when None.
        corpora: Names of the sources to ingest, once, into the user's cache.
        generated: Whether to generate a record although others are there.
        seed: Seed of a generated one.
        workers: Processes that ingest.

    Yields:
        The record; a generated one where none of the corpora is on this computer.

    Raises:
        ValueError: If the store, or an indicator beside a real record, cannot be read.
    """
    found = {} if generated or store else _found(corpora)
    if store is None and not found:
        with TemporaryDirectory(prefix="engram-") as folder:
            yield _generated(Path(folder), seed, asked=generated)
        return
    location, hashes = (store, {}) if store else _ingested(found, workers)
    opened = Store(location)
    engine = EmbeddedEngine(opened.segments(), notes=opened.manifest.notes())
    try:
        indicators, of_tables = read_indicators()
        notes = [_describe(opened, store or _named(corpora, found))]
        yield Record(engine, indicators, hashes | of_tables, notes)
    finally:
        engine.close()


def _found(corpora: tuple[str, ...]) -> dict[str, Path]:
    found = {}
    for name in corpora:
        try:
            found[name] = data.path(name)
        except data.DataError:
            continue  # a part of the corpora will do; `_named` says which
    return found


def _ingested(found: dict[str, Path], workers: int) -> tuple[Path, dict[str, str]]:
    """The store of these corpora in the user's cache; it is filled where it is not complete."""
    hashes = {path.name: data.sha256_of(path) for path in found.values()}
    digest = hashlib.sha256("\n".join(sorted(hashes.values())).encode()).hexdigest()[:16]
    store = user_cache_path("engram", appauthor=False) / "policy" / digest
    ingest(list(found.values()), store, workers=workers)
    return store, hashes


def _generated(folder: Path, seed: int, asked: bool) -> Record:
    planted = planted_record(WORDINGS, np.random.default_rng(seed))
    path = folder / "generated.sqlite"
    segment.write(path, planted.documents)
    why = "as asked" if asked else "because none of the corpora is on this computer"
    remedy = "" if asked else " Set ENGRAM_DATA to a folder that holds them to read the real one."
    note = (
        f"This record is generated, {why}: it says nothing of the United States. Two relations are "
        f"planted in it and four indicators are nonsense; it shows that the study finds the ones "
        f"and not the others.{remedy}"
    )
    engine = EmbeddedEngine([path])
    return Record(engine, list(planted.indicators), {}, [note], planted.plantings)


def _named(corpora: tuple[str, ...], found: dict[str, Path]) -> str:
    terms = {**data.CATALOGUE, **data.SOURCES}
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
