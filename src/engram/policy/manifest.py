"""Manifest: what a store holds, which part of it is counted, and where it came from."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

FORMAT = 2
"""Version of the layout; a store of another version is refused."""

_SHOWN = ("documents", "tokens", "view", "view_size")


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A segment of the store.

    Args:
        sha256: The hash of the file, which is its name.
        size: Its length in bytes.
        documents: How many documents it holds.
        tokens: How many tokens they have.
        text_bytes: How many bytes their text has in UTF-8.
        view: The hash of the file that says which of its documents are counted and under which
            names; empty if all are counted unchanged.
        view_size: The length of that file in bytes.
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
        """Identifies the counted documents and their content: "sha256" or "sha256-view"."""
        return f"{self.sha256}-{self.view}" if self.view else self.sha256


@dataclass(frozen=True, slots=True)
class PartitionEntry:
    """A partition that has been read.

    Args:
        key: Names what it read, by content.
        loader: The loader that read it.
        bytes: How many bytes it read.
        segment: The segment made from it; None if nothing was accepted.
        doc_types: How many documents of each type were accepted.
        rejected: How many records were rejected, by reason.
        run: The number of the last ingestion that read it.
        repeated: Records left out because they are duplicates or older versions.
        records: The hash of the file with its records of identity.
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
        """Whether all of its documents have a newer version, so that its segment was removed."""
        return self.segment is None and bool(self.doc_types)


@dataclass(frozen=True, slots=True)
class Counted:
    """The counted part of a partition, after versions and duplicates have been resolved.

    Args:
        documents: How many documents.
        tokens: How many tokens they have.
        doc_types: How many documents of each type.
        view: The hash of the segment's view; empty if it has none.
        view_size: The view's length in bytes.
    """

    documents: int
    tokens: int
    doc_types: dict[str, int]
    view: str = ""
    view_size: int = 0


@dataclass(frozen=True, slots=True)
class Doubles:
    """Duplicate documents of the store, each counted once.

    Args:
        two_sources: Documents in two or more sources.
        one_source: Documents that occur twice in one source.
        listed: The hash of the file that lists the duplicates; empty if there are none.
        compared: The hash of the file that holds the comparisons of texts.
    """

    two_sources: int = 0
    one_source: int = 0
    listed: str = ""
    compared: str = ""

    def describe(self) -> list[str]:
        """Notes for the reader of an answer."""
        notes = []
        if self.two_sources:
            notes.append(
                f"{self.two_sources:,} documents are in two or more sources; each is counted once."
            )
        if self.one_source:
            notes.append(
                f"{self.one_source:,} documents occur twice in one source; each is counted once."
            )
        return notes


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """An input that has been read to its end.

    Args:
        location: Its path or URL, as given.
        sha256: The hash of the archive or file; for a folder, of the files read in it.
        settings: The settings that determine how it is divided.
        bytes: How many bytes the loaders read.
        files: How many files they read.
        unread: Files that no loader reads: the first few names, and the number of others.
        partitions: The keys of its partitions, in order.
        path: The location as an absolute path or URL.
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
        format: The version of the layout.
        versions: Versions of the software that wrote it.
        created: When.
        updated: When it was last changed.
        sources: The inputs that have been read to their end.
        partitions: By key, what has been read; what is not in `counted` waits until its input is
            complete.
        counted: By key of a partition, the part of it that is counted.
        doubles: The duplicate documents of the store.
        unfinished: The inputs whose ingestion has not finished.
        retired: Former segments that were replaced as a whole.
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
        """The segments with counted documents, in the order in which they were committed.

        Their numbers of documents and tokens include only what is counted.
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
        """Number of rejected records, by reason, when each input was last read."""
        return _sum(self.partitions[key].rejected for key in self.current)

    @property
    def current(self) -> list[str]:
        """Keys of the partitions of the sources when they were last read."""
        named = {key for source in self.sources for key in source.partitions}
        return [key for key in self.counted if key in named]

    def notes(self) -> list[str]:
        """Notes about the store for the reader of an answer, one sentence each."""
        notes = self.doubles.describe()
        if self.unfinished:
            notes.append(
                f"The ingestion of {', '.join(self.unfinished)} has not finished, and none of its "
                f"documents is counted yet; run it again if it was interrupted."
            )
        return notes

    def to_json(self) -> str:
        """Return the manifest as JSON text, including totals."""
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
        """Parse a manifest."""
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
