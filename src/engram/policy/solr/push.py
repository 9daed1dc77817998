"""Push a store to Solr in batches; pushes can be repeated, and counts are checked at the end.

The id is Solr's unique key, so that sending a document again replaces it. Each document carries
the name of its segment and view: a push skips segments that Solr holds completely, sends the
others from their start, and removes those that the store has replaced. If the push or Solr was
killed, the push is simply repeated. A collection that holds other documents is refused before
anything is sent.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from engram.policy import analyzer
from engram.policy.document import Document, searched
from engram.policy.segment import OpenSegment
from engram.policy.solr.client import Solr, SolrError
from engram.policy.solr.schema import analyse, create_collection, create_schema, encode, exact
from engram.policy.store import Store
from engram.progress import Progress, Step, silent

BATCH = 500
"""Maximum number of documents per request."""

BATCH_CHARACTERS = 2 * 2**20
"""Maximum number of characters of text per request."""

SAMPLE = 20_000
"""Number of characters of a segment's first text on which the two analyzers are compared."""

COMMITS = 7
"""Number of attempts to commit, about a quarter of a minute in all."""

READ = 50
"""Number of documents read from a segment at once."""


class Held(NamedTuple):
    """Size of one segment or of all.

    Args:
        documents: Number of documents.
        tokens: Number of their terms.
    """

    documents: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Pushed:
    """The result of a push.

    Args:
        documents: Number of documents in the collection, equal to the store's.
        tokens: Number of their terms, equal to the store's.
        sent: Number of documents sent; the others were there before.
        removed: Number of documents removed: those that the store has replaced and, with `prune`,
            those that are not in the store.
    """

    documents: int
    tokens: int
    sent: int
    removed: int


def push(
    store: Store,
    solr: Solr,
    shards: int = 1,
    prune: bool = False,
    progress: Progress = silent,
) -> Pushed:
    """Make a collection hold the documents of a store, and check that it does.

    Args:
        store: The store.
        solr: The collection; if missing it is created on a cloud, as are its types and fields.
        shards: Number of shards of a new collection.
        prune: Whether to remove documents that are not in any segment of the store.
        progress: Called to report progress.

    Returns:
        The result of the push.

    Raises:
        SolrError: If Solr fails, analyses text differently from Engram, holds documents that are
            not in the store, or ends up with counts other than the store's.
    """
    create_collection(solr, shards)
    create_schema(solr)
    wanted = {entry.name: Held(entry.documents, entry.tokens) for entry in store.manifest.segments}
    solr.get("/update", commit="true")  # otherwise what others have just sent is not visible
    before = held(solr)
    own = {entry.sha256 for entry in store.manifest.segments} | set(store.manifest.retired)
    if not prune:
        _refuse_others(solr, before, own)
    total, tokens = (sum(counts) for counts in zip((0, 0), *wanted.values(), strict=True))
    there = sum(entry.documents for name, entry in wanted.items() if before.get(name) == entry)
    sent = 0
    for path, name in zip(store.segments(), wanted, strict=True):
        if before.get(name) != wanted[name]:
            for count in _send(solr, path, name):
                sent += count
                progress(Step("documents", there + sent, total, "documents"))
    found = _commit(solr, wanted)
    old = {
        name: entry
        for name, entry in found.items()
        if name not in wanted and (prune or _base(name) in own)
    }
    removed = _remove(solr, old)
    _check(solr, wanted)
    return Pushed(total, tokens, sent, removed)


def held(solr: Solr) -> dict[str | None, Held]:
    """What a collection holds of each segment; the key None is for documents of no segment.

    Args:
        solr: The collection, with its schema made.
    """
    groups = {
        "type": "terms",
        "field": "segment",
        "limit": -1,
        "missing": True,
        "facet": {"tokens": "sum(n_tokens)"},
    }
    facets = solr.query({"query": "*:*", "limit": 0, "facet": {"segments": groups}})["facets"]
    if not facets["count"]:
        return {}
    found = facets["segments"]
    buckets = [*found["buckets"], *([found["missing"]] if found["missing"]["count"] else [])]
    return {
        bucket.get("val"): Held(bucket["count"], round(bucket.get("tokens", 0)))
        for bucket in buckets
    }


def _send(solr: Solr, path: Path, name: str) -> Iterator[int]:
    """Send a segment; yield the number of documents of each request."""
    for place, batch in enumerate(_batches(_documents(path))):
        if place == 0:
            _compare(solr, batch[0][0])
        solr.post("/update", [encode(document, n_tokens, name) for document, n_tokens in batch])
        yield len(batch)


def _documents(path: Path) -> Iterator[tuple[Document, int]]:
    """The documents of a segment, in order, with the number of their terms."""
    segment = OpenSegment(path)
    try:
        tokens = segment.column("tokens")
        numbers = segment.numbers()
        for start in range(0, len(numbers), READ):
            page = numbers[start : start + READ]
            ids = segment.ids(page)
            found = {document.id: document for document in segment.fetch(ids)}
            for number, id_ in zip(page, ids, strict=True):
                yield found[id_], int(tokens[number])
    finally:
        segment.close()


def _batches(
    documents: Iterable[tuple[Document, int]],
) -> Iterator[list[tuple[Document, int]]]:
    """Documents in requests of bounded size."""
    batch: list[tuple[Document, int]] = []
    size = 0
    for entry in documents:
        batch.append(entry)
        size += len(searched(entry[0]))
        if len(batch) == BATCH or size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _compare(solr: Solr, document: Document) -> None:
    """Refuse a Solr that does not index the terms that it is sent: counts would differ."""
    text = searched(document)[:SAMPLE]
    if analyse(solr, text) != [{word.stem, exact(word)} for word in analyzer.words(text)]:
        raise SolrError(
            f"Solr at {solr.url} makes other terms of {document.id!r} than it was sent; use a "
            "Solr 9, and a collection whose types Engram made"
        )


def _commit(solr: Solr, wanted: Mapping[str, Held]) -> dict[str | None, Held]:
    """Commit until Solr shows its documents; return what it holds.

    After a crash Solr replays its log when it starts, and silently ignores commits meanwhile.
    """
    found: dict[str | None, Held] = {}
    for attempt in range(COMMITS):
        if attempt:
            solr.wait(attempt)
        solr.get("/update", commit="true")
        found = held(solr)
        if all(found.get(name) == entry for name, entry in wanted.items()):
            break
    return found


def _base(name: str | None) -> str:
    """The segment of a document, whatever the view."""
    return (name or "").partition("-")[0]


def _refuse_others(solr: Solr, before: Mapping[str | None, Held], own: set[str]) -> None:
    """Refuse a collection that holds documents of another store, or of none."""
    strange = sum(entry.documents for name, entry in before.items() if _base(name) not in own)
    if strange:
        raise SolrError(
            f"{solr.url} holds {strange} documents that are not in the store; nothing was sent. "
            "Remove them (--prune), or give the store a collection of its own"
        )


def _remove(solr: Solr, strange: Mapping[str | None, Held]) -> int:
    """Remove the documents of some segments, or of no segment; return their number."""
    if not strange:
        return 0
    for name in strange:
        query = "{!term f=segment v=$segment}" if name else "{!bool must=$all must_not=$segment}"
        named = {"segment": name} if name else {"all": "*:*", "segment": "segment:*"}
        solr.post("/update", {"delete": {"query": query}}, **named)
    solr.get("/update", commit="true")
    return sum(entry.documents for entry in strange.values())


def _check(solr: Solr, wanted: Mapping[str, Held]) -> None:
    found = held(solr)
    missing = {name for name, entry in wanted.items() if found.get(name) != entry}
    strange = sum(entry.documents for name, entry in found.items() if name not in wanted)
    if missing:
        raise SolrError(
            f"{solr.url} holds {_total(found)}, but the store {_total(wanted)}; "
            f"{len(missing)} of {len(wanted)} segments differ: push again, and look at Solr's log "
            "if that does not help"
        )
    if strange:
        raise SolrError(
            f"{solr.url} holds the store, and {strange} documents that are not in it; prune them "
            "(--prune), or give the store a collection of its own"
        )


def _total(counts: Mapping[Any, Held]) -> str:
    documents, tokens = (sum(column) for column in zip((0, 0), *counts.values(), strict=True))
    return f"{documents} documents of {tokens} tokens"
