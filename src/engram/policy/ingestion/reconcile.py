"""Reconcile: decide which of all documents read are counted, each once.

The decision is a function of the set of documents, so that it depends neither on the order of the
inputs nor on how they were divided:

- *Versions.* Of a unit of a source that was read more than once, one reading is counted: of two
  forms, the one whose loader comes first in `LOADERS`; then the one that the source itself changed
  last; then the one that was ingested last; in one ingestion, the longest.
- *Duplicates.* Of a text that is in two sources, or twice in one, one copy is counted
  (`ingestion.doubles`).
- *Persons.* A person has one name, party and state (`persons`).

Segments are not changed; what is counted of them is written to views.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.data.reading import sha256_of
from engram.policy.ingestion.doubles import Group, find_doubles, read_comparisons, write_listing
from engram.policy.ingestion.records import Records, Who, read_records
from engram.policy.ingestion.segments import SegmentReader
from engram.policy.loader import LOADERS
from engram.policy.persons import Person, Persons
from engram.policy.segment.view import SUFFIX, write_view
from engram.policy.store import Counted, Store

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

_SHOWN = ("speaker", "party", "state")
"""Fields for filters and groups that a view can replace."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for the documents of the partitions read in one run.

    Args:
        documents: New documents, by type.
        updated: Those that replace an older version.
        unchanged: Those that were already in the store.
        older: Those of which the store has a newer version.
        left: Documents of files that are no longer in their source; they are kept.
    """

    documents: dict[str, int] = field(default_factory=dict)
    updated: int = 0
    unchanged: int = 0
    older: int = 0
    left: int = 0


class _Corpus:
    """The concatenated records of all counted partitions."""

    def __init__(self, store: Store, keys: Iterable[str]) -> None:
        self.keys = list(keys)
        self.speakers: list[list[Who]] = []
        parts: list[Records] = []
        for key in self.keys:
            speakers, records = read_records(store.shelf.read(f"ids/{key}.ids"))
            self.speakers.append(speakers)
            parts.append(records)
        self.sizes = np.array([len(records) for records in parts], dtype=np.int64)
        self.starts = np.cumsum(self.sizes) - self.sizes
        empty = np.empty(0, dtype=parts[0].dtype if parts else np.uint8)
        self.records: Any = np.concatenate(parts) if parts else empty
        self.part = np.repeat(np.arange(len(parts)), self.sizes)

    def number(self, row: int) -> tuple[str, int]:
        """The partition of a document, and its number in the partition's segment."""
        part = int(self.part[row])
        return self.keys[part], row - int(self.starts[part])

    def who(self, row: int) -> Who:
        """The speaker of a document as given by its source."""
        return self.speakers[int(self.part[row])][int(self.records["who"][row])]

    @cached_property
    def persons(self) -> Persons:
        """The persons of the record."""
        found: Counter[Who] = Counter()
        for start, size, speakers in zip(self.starts, self.sizes, self.speakers, strict=True):
            counts = np.bincount(self.records["who"][start : start + size], minlength=len(speakers))
            found.update(dict(zip(speakers, counts.tolist(), strict=True)))
        return Persons(found)


def reconcile(store: Store, keys: list[str], added: frozenset[str]) -> Outcome:
    """Decide what is counted of some partitions, and update the store's manifest.

    If all documents of a partition were replaced by newer versions, its segment is removed, and
    the partition too if no input has it any more.

    Args:
        store: The store; its manifest is changed, not saved.
        keys: The counted partitions, in order.
        added: Those that were read in this run.

    Returns:
        The outcome for the documents that were read.
    """
    corpus = _Corpus(store, keys)
    if not keys:
        store.manifest.counted = {}
        return Outcome()
    newest = _newest(corpus, store)
    lacking = {
        corpus.keys[part]
        for part in np.unique(corpus.part[newest]).tolist()
        if store.manifest.partitions[corpus.keys[part]].emptied
    }
    if lacking:  # their replacement was pruned; they are read again with their input
        for key in lacking:
            del store.manifest.partitions[key]
        return reconcile(store, [key for key in keys if key not in lacking], added)
    outcome = _outcome(corpus, store, newest, added)
    live = newest.copy()
    with SegmentReader(store) as segments:
        known = read_comparisons(store)
        groups, comparisons = find_doubles(corpus, newest, segments, known)
        for group in groups:
            live[list(group.others)] = False
        doubles = write_listing(store, corpus, groups, comparisons, segments)
        _count(store, corpus, newest, live, groups, segments)
    store.manifest.doubles = doubles
    return outcome


def _newest(corpus: _Corpus, store: Store) -> Mask:
    """Which documents belong to the counted reading of their unit, (documents)."""
    records, part = corpus.records, corpus.part
    order = np.lexsort((records["instance"], part, records["unit2"], records["unit"]))
    unit, unit2 = records["unit"][order], records["unit2"][order]
    other_unit = np.append(True, (unit[1:] != unit[:-1]) | (unit2[1:] != unit2[:-1]))
    place, instance = part[order], records["instance"][order]
    begins = other_unit | np.append(
        True, (place[1:] != place[:-1]) | (instance[1:] != instance[:-1])
    )
    starts = np.flatnonzero(begins)
    if len(starts) == int(other_unit.sum()):
        return np.ones(len(records), dtype=bool)
    reading = np.cumsum(begins) - 1
    rank = _ranks(corpus, store, order, starts)
    group = np.cumsum(other_unit)[starts]
    best = np.lexsort((*reversed(rank), group))
    first = np.append(True, group[best][1:] != group[best][:-1])
    wins = np.zeros(len(starts), dtype=bool)
    wins[best[first]] = True
    newest = np.empty(len(records), dtype=bool)
    newest[order] = wins[reading]
    return newest


def _ranks(
    corpus: _Corpus, store: Store, order: Integers, starts: Integers
) -> tuple[NDArray[Any], ...]:
    """Sort keys between readings, the most significant first; the smallest wins, (readings)."""
    records, part = corpus.records[order], corpus.part[order][starts]
    entries = [store.manifest.partitions[key] for key in corpus.keys]
    forms = {name: place for place, name in enumerate(LOADERS)}
    form = np.array([forms.get(entry.loader, len(forms)) for entry in entries])[part]
    run = np.array([entry.run for entry in entries])[part]
    updated = np.maximum.reduceat(records["updated"], starts)
    length = np.add.reduceat(records["letters"].astype(np.int64), starts)
    state = np.bitwise_xor.reduceat(records["state"], starts)
    return (form, -updated, -run, -length, state, part)


def _outcome(corpus: _Corpus, store: Store, newest: Mask, added: frozenset[str]) -> Outcome:
    """The outcome for the documents that this run read, given those already in the store."""
    before = store.manifest.counted
    fresh = np.array([key in added for key in corpus.keys])[corpus.part]
    old = np.array([key in before for key in corpus.keys])[corpus.part] & ~fresh
    records = corpus.records
    known = np.isin(records["id"], np.unique(records["id"][old]))
    same = np.isin(records["state"], np.unique(records["state"][old]))
    new = fresh & ~known & newest
    documents: Counter[str] = Counter()
    for index in np.flatnonzero(np.bincount(corpus.part, weights=new, minlength=len(corpus.keys))):
        key, start = corpus.keys[index], int(corpus.starts[index])
        here = new[start : start + int(corpus.sizes[index])]
        entry = store.manifest.partitions[key]
        if here.all():
            documents.update(entry.doc_types)
        elif len(entry.doc_types) == 1:
            documents[next(iter(entry.doc_types))] += int(here.sum())
        else:
            with SegmentReader(store) as segments:
                documents.update(segments.types(key, here))
    current = {key for source in store.manifest.sources for key in source.partitions}
    left = np.array([key not in current for key in corpus.keys])[corpus.part]
    return Outcome(
        dict(sorted(documents.items())),
        updated=int((fresh & known & ~same & newest).sum()),
        unchanged=int((fresh & known & same).sum()),
        older=int((fresh & ~same & ~newest).sum()),
        left=int((left & newest).sum()),
    )


def _count(
    store: Store,
    corpus: _Corpus,
    newest: Mask,
    live: Mask,
    groups: list[Group],
    segments: SegmentReader,
) -> None:
    """Write the views, and record in the manifest what is counted."""
    manifest = store.manifest
    merged = {group.kept: group for group in groups}
    named = {key for source in manifest.sources for key in source.partitions}
    counted: dict[str, Counted] = {}
    for index, key in enumerate(corpus.keys):
        start, size = int(corpus.starts[index]), int(corpus.sizes[index])
        rows = range(start, start + size)
        entry = manifest.partitions[key]
        if size and not newest[start : start + size].any():
            if entry.segment:
                manifest.retired.append(entry.segment.sha256)
            if key not in named:
                del manifest.partitions[key]
                continue
            manifest.partitions[key] = replace(entry, segment=None)
        counted[key] = _counted(
            store, corpus, key, rows, live[start : start + size], merged, segments
        )
    manifest.counted = counted
    manifest.sources = [
        source
        for source in manifest.sources
        if not source.partitions or any(key in manifest.partitions for key in source.partitions)
    ]


def _counted(
    store: Store,
    corpus: _Corpus,
    key: str,
    rows: range,
    live: Mask,
    merged: dict[int, Group],
    segments: SegmentReader,
) -> Counted:
    entry = store.manifest.partitions[key]
    segment = entry.segment
    if segment is None:
        return Counted(0, 0, {})
    people = _people(corpus, rows)
    changes: dict[tuple[int, str], str | int | None] = {}
    for number in np.flatnonzero(live):
        group = merged.get(rows[number])
        if group is not None:
            changes |= _merge(corpus, people, int(number), group, rows, segments)
    for number, (was, person) in enumerate(people):
        if person.name != was[0]:
            changes[number, "printed"] = was[0]
        for name, old, new in zip(_SHOWN, was[:3], person, strict=True):
            if old != new:
                changes[number, name] = new
    if live.all():
        documents, tokens, types = segment.documents, segment.tokens, entry.doc_types
    else:
        documents, tokens = int(live.sum()), int(segments.tokens(key)[live].sum())
        types = segments.types(key, live)
    if not documents or (live.all() and not changes):
        return Counted(documents, tokens, types)
    names = {
        name: [getattr(person, "name" if name == "speaker" else name) for _, person in people]
        for name in _SHOWN
        if any(field == name for _, field in changes)
    }
    view, size = _write(store, segment.sha256, None if live.all() else live, names, changes)
    return Counted(documents, tokens, types, view, size)


def _people(corpus: _Corpus, rows: range) -> list[tuple[Who, Person]]:
    """The speaker of each document, as given by the source and as shown in the record."""
    known: dict[tuple[int, int], tuple[Who, Person]] = {}
    found = []
    part = int(corpus.part[rows[0]]) if len(rows) else 0
    days, codes = (corpus.records[name][rows.start : rows.stop].tolist() for name in ("day", "who"))
    for day, code in zip(days, codes, strict=True):
        if (day, code) not in known:
            who = corpus.speakers[part][code]
            known[day, code] = (who, corpus.persons.resolve(who, date.fromordinal(day)))
        found.append(known[day, code])
    return found


def _merge(
    corpus: _Corpus,
    people: list[tuple[Who, Person]],
    number: int,
    group: Group,
    rows: range,
    segments: SegmentReader,
) -> dict[tuple[int, str], str | int | None]:
    """Fields that the kept copy of a text takes from the others where its own are missing."""
    was, person = people[number]
    changes: dict[tuple[int, str], str | int | None] = {}
    own = segments.fields(*corpus.number(rows[number]))
    for other in group.others:
        theirs = segments.fields(*corpus.number(other))
        resolved = corpus.persons.resolve(
            corpus.who(other), date.fromordinal(int(corpus.records["day"][other]))
        )
        values = {name: getattr(person, name) or getattr(resolved, name) for name in Person._fields}
        person = Person(**values)
        for name in ("url", "session", "chamber"):
            if own[name] is None and (number, name) not in changes and theirs[name] is not None:
                changes[number, name] = theirs[name]
    people[number] = (was, person)
    return changes


def _write(store: Store, base: str, live: Any, names: Any, changes: Any) -> tuple[str, int]:
    with store.shelf.draft() as draft:
        write_view(draft, f"{base}.sqlite", live, names, changes)
        sha256, size = sha256_of(draft), draft.stat().st_size
        store.shelf.put(draft, f"segments/{sha256}{SUFFIX}")
    return sha256, size
