"""Duplicates: one text in two sources, or twice in one, of which one copy is counted.

Only speeches and messages are compared by their words; bills, amendments, nominations, votes and
statutes have a number of their own in their source. Texts of fewer than about fifty words (250
letters) are never duplicates, because procedural formulas are alike. Two texts are duplicates if
they do not name different speakers, and

- in two sources, on the same day or the next: their shingles (runs of 16 letters) overlap with a
  Jaccard index of 0.3 or more if both have 2,500 letters or more; shorter ones need 0.5, and 0.85
  of the shorter one's shingles in the longer one;
- in two sources, up to 31 days apart, because sources date messages differently: 5,000 letters or
  more each and a Jaccard index of 0.9 or more;
  - in one source, on the same day: equal, or 1,500 letters or more each and 0.95 or more.

Across sources, each text has at most one duplicate in each source, the most similar one. Of the
copies, the annual message is kept, otherwise the longest; fields missing in its own source are
taken from the others.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engram.policy.fingerprint import LEAST, Overlap, letters, overlap
from engram.policy.ingestion.records import MESSAGE, OTHER, Who
from engram.policy.ingestion.segments import SegmentReader
from engram.policy.persons import Persons, family_of
from engram.policy.store import Doubles, Store

LONG, LONGER, FAIR = 2_500, 5_000, 1_500
"""Lengths in letters: about 500, 1,000 and 300 words."""

WITHIN_DAYS = 31
"""Maximum number of days between two datings of one text."""

_NEIGHBOURS = 20
"""Maximum number of texts that share a shingle and are compared; more make it common."""

_PAIR = np.dtype([("one", "<u8"), ("other", "<u8"), ("jaccard", "<f4"), ("contained", "<f4")])

Comparisons = dict[tuple[int, int], Overlap]
"""Similarities of pairs of texts, by the hashes of their letters."""


class Corpus(Protocol):
    """The records of all partitions; see `reconcile`."""

    records: Any
    persons: Any

    def number(self, row: int) -> tuple[str, int]:
        """The partition of a document, and its number in it."""
        ...

    def who(self, row: int) -> Who:
        """The speaker of a document."""
        ...


@dataclass(frozen=True, slots=True)
class Group:
    """The copies of one text.

    Args:
        kept: The copy that is counted.
        others: The other copies, the best first.
    """

    kept: int
    others: tuple[int, ...]


class _Pair(NamedTuple):
    one: int
    other: int
    found: Overlap


def find_doubles(
    corpus: Corpus, newest: NDArray[np.bool_], segments: SegmentReader, known: Comparisons
) -> tuple[list[Group], Comparisons]:
    """Find the duplicates among the newest versions.

    Args:
        corpus: All records.
        newest: Which documents are newest versions.
        segments: Gives the texts.
        known: Comparisons made earlier.

    Returns:
        The groups, and all comparisons that this needed.
    """
    records = corpus.records
    rows = np.flatnonzero(newest & (records["kind"] != OTHER) & (records["letters"] >= LEAST))
    pairs, used = [], {}
    for one, other in _candidates(records, rows):
        if not _may_be(corpus, one, other):
            continue
        key = _key(records, one, other)
        if key not in used:
            used[key] = known.get(key) or _compare(corpus, one, other, segments)
        if _are(records, one, other, used[key]):
            pairs.append(_Pair(one, other, used[key]))
    return _grouped(records, pairs), used


def _candidates(records: Any, rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Pairs of documents that share two hashes of their sketches, or all letters, in order."""
    days = records["day"][rows].astype(np.int64)
    counts: dict[tuple[int, int], int] = defaultdict(int)
    sketches = records["sketch"][rows]
    keys = [(records["content"][rows], 2)]
    hashes = sketches.astype(np.uint64).ravel()
    columns = np.repeat(np.arange(len(rows)), sketches.shape[1])[hashes > 0]
    keys.append((hashes[hashes > 0], 1))
    for (values, weight), index in zip(keys, (np.arange(len(rows)), columns), strict=True):
        order = np.lexsort((rows[index], days[index], values))
        value, place = values[order], index[order]
        for step in range(1, _NEIGHBOURS + 1):
            same = np.flatnonzero(
                (value[step:] == value[:-step])
                & (days[place[step:]] - days[place[:-step]] <= WITHIN_DAYS)
            )
            if not len(same):
                break
            for a, b in zip(place[same].tolist(), place[same + step].tolist(), strict=True):
                if a != b:
                    counts[min(a, b), max(a, b)] += weight
    for (a, b), count in sorted(counts.items()):
        if count >= 2:
            yield int(rows[a]), int(rows[b])


def _may_be(corpus: Corpus, one: int, other: int) -> bool:
    """Whether date, length and speaker allow two documents to be the same text."""
    records = corpus.records
    apart = abs(int(records["day"][one]) - int(records["day"][other]))
    sizes = sorted((int(records["letters"][one]), int(records["letters"][other])))
    if records["source"][one] == records["source"][other]:
        equal = records["content"][one] == records["content"][other]
        if apart or not (equal or sizes[0] >= FAIR) or sizes[0] < 0.9 * sizes[1]:
            return False
    elif apart > 1 and (sizes[0] < LONGER or sizes[0] < 0.8 * sizes[1]):
        return False
    if sizes[0] < 0.2 * sizes[1]:
        return False
    return _one_speaker(corpus, one, other)


def _one_speaker(corpus: Corpus, one: int, other: int) -> bool:
    persons: Persons = corpus.persons
    names = [
        persons.resolve(corpus.who(row), date.fromordinal(int(corpus.records["day"][row]))).name
        for row in (one, other)
    ]
    if names[0] is None or names[1] is None or names[0] == names[1]:
        return True
    return family_of(names[0]) == family_of(names[1])


def _are(records: Any, one: int, other: int, found: Overlap) -> bool:
    """Whether the overlap of two texts makes them duplicates; see the rules above."""
    least = min(int(records["letters"][one]), int(records["letters"][other]))
    if records["source"][one] == records["source"][other]:
        return found.jaccard == 1 or (least >= FAIR and found.jaccard >= 0.95)
    if abs(int(records["day"][one]) - int(records["day"][other])) > 1:
        return found.jaccard >= 0.9
    if least >= LONG:
        return found.jaccard >= 0.3
    return found.jaccard >= 0.5 and found.containment >= 0.85


def _compare(corpus: Corpus, one: int, other: int, segments: SegmentReader) -> Overlap:
    if corpus.records["content"][one] == corpus.records["content"][other]:
        return Overlap(1.0, 1.0)
    found = overlap(*(letters(segments.text(*corpus.number(row))) for row in (one, other)))
    return Overlap(
        *(float(np.float32(value)) for value in found)
    )  # in its stored form, so that all runs decide alike


def _grouped(records: Any, pairs: list[_Pair]) -> list[Group]:
    """Group the pairs: within a source first, then by decreasing similarity."""

    def urgency(pair: _Pair) -> tuple[Any, ...]:
        foreign = bool(records["source"][pair.one] != records["source"][pair.other])
        named = sorted(_identity(records, row) for row in (pair.one, pair.other))
        return foreign, -pair.found.jaccard, *named

    group: dict[int, set[int]] = {}
    for pair in sorted(pairs, key=urgency):
        one, other = (group.setdefault(row, {row}) for row in (pair.one, pair.other))
        if one is other:
            continue
        sources = [{int(records["source"][row]) for row in rows} for rows in (one, other)]
        foreign = records["source"][pair.one] != records["source"][pair.other]
        if foreign and sources[0] & sources[1]:
            continue
        one |= other
        for row in other:
            group[row] = one
    held = {id(rows): rows for rows in group.values() if len(rows) > 1}
    found = []
    for rows in held.values():
        first, *others = sorted(rows, key=lambda row: _preference(records, row))
        found.append(Group(first, tuple(others)))
    return sorted(found, key=lambda one: _identity(records, one.kept))


def _preference(records: Any, row: int) -> tuple[Any, ...]:
    """The annual message first, then the longest, then by identity."""
    other_kind = int(records["kind"][row]) != MESSAGE
    return other_kind, -int(records["letters"][row]), *_identity(records, row)


def _key(records: Any, one: int, other: int) -> tuple[int, int]:
    """The hashes of the letters of two documents, the smaller first."""
    a, b = (int(records["content"][row]) for row in (one, other))
    return min(a, b), max(a, b)


def _identity(records: Any, row: int) -> tuple[int, int]:
    return int(records["id"][row]), int(records["state"][row])


def read_comparisons(store: Store) -> Comparisons:
    """Read the comparisons made by earlier runs.

    Args:
        store: The store.
    """
    name = store.manifest.doubles.compared
    if not name:
        return {}
    pairs = np.frombuffer(store.shelf.read(f"doubles/{name}.pairs"), dtype=_PAIR)
    return {
        (int(one), int(other)): Overlap(float(jaccard), float(contained))
        for one, other, jaccard, contained in pairs.tolist()
    }


def write_listing(
    store: Store,
    corpus: Corpus,
    groups: list[Group],
    comparisons: Mapping[tuple[int, int], Overlap],
    segments: SegmentReader,
) -> Doubles:
    """Write the list of duplicates, and the comparisons.

    Args:
        store: The store.
        corpus: All records.
        groups: The duplicates.
        comparisons: What was compared.
        segments: Gives the ids.
    """
    records, lines, several = corpus.records, [], 0
    for group in groups:
        kept = segments.fields(*corpus.number(group.kept))
        sources = {int(records["source"][row]) for row in (group.kept, *group.others)}
        several += len(sources) > 1
        for row in group.others:
            other = segments.fields(*corpus.number(row))
            found = comparisons.get(_key(records, group.kept, row))
            shown = {"kept": kept["id"], "kept_date": kept["date"], "double": other["id"]}
            shown |= {"double_date": other["date"], "title": other["title"]}
            shown |= {"jaccard": round(found.jaccard, 3) if found else None}
            lines.append(json.dumps(shown))
    rows = [(*pair, *found) for pair, found in sorted(comparisons.items())]
    compared = np.array(rows, dtype=_PAIR).tobytes()
    names = []
    for content, ending in (("\n".join(lines).encode(), "jsonl"), (compared, "pairs")):
        name = _named(content) if content else ""
        if content:
            store.shelf.write(f"doubles/{name}.{ending}", content)
        names.append(name)
    return Doubles(several, len(groups) - several, *names)


def _named(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
