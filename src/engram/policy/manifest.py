"""Manifest: what a store holds, what of it counts, and where it came from."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

FORMAT = 2
"""The version of the layout; a store of another one is refused."""

_SHOWN = ("documents", "tokens", "view", "view_size")


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A segment of the store.

    Args:
        sha256: the hash of the file, which is its name.
        size: its length in bytes.
        documents: how many documents it holds.
        tokens: how many tokens they have.
        text_bytes: how many bytes their text has in UTF-8.
        view: the hash of the file that says which of its documents count and under which names;
            empty if all count as they are.
        view_size: the length of that file in bytes.
    """

    sha256: str
    size: int
    documents: int
    tokens: int
    text_bytes: int
    view: str = ""
    view_size: int = 0

    @property
    def name(self) -> str:
        """Names the documents that count and what they say: "sha256" or "sha256-view"."""
        return f"{self.sha256}-{self.view}" if self.view else self.sha256


@dataclass(frozen=True, slots=True)
class PartitionEntry:
    """A partition that has been read.

    Args:
        key: names what it read, by content.
        loader: the loader that read it.
        bytes: how many bytes it read.
        segment: the segment it made; None if nothing was accepted.
        doc_types: how many documents of each type were accepted.
        rejected: how many records were rejected, by reason.
        run: the number of the ingestion that read it last.
        repeated: records that it holds twice, or in an older version, and that were left out.
        records: the hash of the file with its records of identity.
    """

    key: str
    loader: str
    bytes: int
    segment: SegmentEntry | None
    doc_types: dict[str, int]
    rejected: dict[str, int]
    run: int = 1
    repeated: int = 0
    records: str = ""

    @property
    def emptied(self) -> bool:
        """Whether all of its documents have a newer version, so that its segment is gone."""
        return self.segment is None and bool(self.doc_types)


@dataclass(frozen=True, slots=True)
class Counted:
    """What of a partition counts, after versions and doubles have been decided.

    Args:
        documents: how many documents.
        tokens: how many tokens they have.
        doc_types: how many documents of each type.
        view: the hash of the segment's view; empty if it has none.
        view_size: the view's length in bytes.
    """

    documents: int
    tokens: int
    doc_types: dict[str, int]
    view: str = ""
    view_size: int = 0


@dataclass(frozen=True, slots=True)
class Doubles:
    """The documents that are in the store more than once, each counted once.

    Args:
        two_sources: documents that two sources or more have.
        one_source: documents that one source has twice.
        listed: the hash of the file that lists the doubles; empty if there are none.
        compared: the hash of the file that holds the comparisons of texts.
    """

    two_sources: int = 0
    one_source: int = 0
    listed: str = ""
    compared: str = ""

    def describe(self) -> list[str]:
        """What a reader of an answer must know."""
        notes = []
        if self.two_sources:
            notes.append(
                f"{self.two_sources:,} documents are in two sources or more; each is counted once."
            )
        if self.one_source:
            notes.append(f"{self.one_source:,} documents are twice in one source; counted once.")
        return notes


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """An input that has been read to its end.

    Args:
        location: its path or URL, as given.
        sha256: the hash of the archive or file; of a folder, that of what was read in it.
        settings: what decides how it is divided.
        bytes: how many bytes the loaders read.
        files: how many files they read.
        unread: files that no loader reads: the first few names, and how many others.
        partitions: the keys of its partitions, in order.
        path: the location as an absolute path or URL.
    """

    location: str
    sha256: str
    settings: dict[str, Any]
    bytes: int
    files: int
    unread: dict[str, int]
    partitions: list[str]
    path: str = ""


@dataclass
class Manifest:
    """What a store holds, and where it came from.

    Args:
        format: the version of the layout.
        versions: of the software that wrote it.
        created: when.
        updated: when it was last changed.
        sources: the inputs that have been read to their end.
        partitions: by key, what has been read; what is not in `counted` waits for its input's end.
        counted: by key of a partition, what of it counts.
        doubles: the documents that are in the store more than once.
        unfinished: the inputs whose ingestion has not finished.
        retired: segments that the store held once and were replaced as a whole.
    """

    format: int = FORMAT
    versions: dict[str, str] = field(default_factory=dict)
    created: str = ""
    updated: str = ""
    sources: list[SourceEntry] = field(default_factory=list)
    partitions: dict[str, PartitionEntry] = field(default_factory=dict)
    counted: dict[str, Counted] = field(default_factory=dict)
    doubles: Doubles = field(default_factory=Doubles)
    unfinished: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)

    @property
    def segments(self) -> list[SegmentEntry]:
        """The segments that have documents that count, in the order of their commitment.

        Their documents and tokens are those that count.
        """
        found = []
        for key, counted in self.counted.items():
            segment = self.partitions[key].segment
            if segment and counted.documents:
                shown = {name: getattr(counted, name) for name in _SHOWN}
                found.append(replace(segment, **shown))
        return found

    @property
    def documents(self) -> dict[str, int]:
        """How many documents there are, by type."""
        return _sum(counted.doc_types for counted in self.counted.values())

    @property
    def rejected(self) -> dict[str, int]:
        """How many records were rejected, by reason, in the inputs as they were read last."""
        return _sum(self.partitions[key].rejected for key in self.current)

    @property
    def current(self) -> list[str]:
        """The keys of the partitions that the sources had when they were read last."""
        named = {key for source in self.sources for key in source.partitions}
        return [key for key in self.counted if key in named]

    def notes(self) -> list[str]:
        """What a reader of an answer must know of the store, a sentence each."""
        notes = self.doubles.describe()
        if self.unfinished:
            notes.append(
                f"The ingestion of {', '.join(self.unfinished)} has not finished, and nothing that "
                "it reads is counted yet; run it again if it was interrupted."
            )
        return notes

    def to_json(self) -> str:
        """The manifest as text, totals included."""
        totals = {
            "documents": self.documents,
            "rejected": self.rejected,
            "tokens": sum(segment.tokens for segment in self.segments),
            "segments": len(self.segments),
            "size": sum(segment.size + segment.view_size for segment in self.segments),
        }
        whole = asdict(self) | {"partitions": [asdict(e) for e in self.partitions.values()]}
        return json.dumps({"totals": totals} | whole, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """The manifest that a text holds."""
        whole = json.loads(text)
        whole.pop("totals", None)
        entries = [
            PartitionEntry(
                **entry | {"segment": entry["segment"] and SegmentEntry(**entry["segment"])}
            )
            for entry in whole.pop("partitions")
        ]
        sources = [SourceEntry(**entry) for entry in whole.pop("sources")]
        counted = {key: Counted(**entry) for key, entry in whole.pop("counted").items()}
        return cls(
            **whole | {"doubles": Doubles(**whole["doubles"])},
            sources=sources,
            partitions={entry.key: entry for entry in entries},
            counted=counted,
        )


def _sum(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
