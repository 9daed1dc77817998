"""`engram policy sources`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from engram.cli.output import print_json, print_line, print_rows
from engram.cli.policy.asking import STORE
from engram.policy.document import NOTED
from engram.policy.ingestion import shown
from engram.policy.store import SourceEntry, Store


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
            print_line(
                "  ".join(filter(None, (row["reason"], row["origin"], row.get("detail", ""))))
            )
        print_line(f"{len(rows)} {self.show}")
        return 0


def outcome_of(reason: str) -> str:
    """The outcome of a reason: quarantined, superseded, or noted."""
    return "noted" if reason in NOTED else "superseded" if reason == "superseded" else "quarantined"


def _latest(sources: Iterable[SourceEntry]) -> list[SourceEntry]:
    """The sources as they were last read."""
    return list({(one.location, *one.settings["loaders"]): one for one in sources}.values())


def _summary(store: Store, sources: Sequence[SourceEntry]) -> dict[str, object]:
    """The content of a store, by outcome."""
    outcomes: dict[str, Counter[str]] = {"noted": Counter(), "superseded": Counter()}
    outcomes["quarantined"] = Counter()
    for reason, count in store.manifest.rejected.items():
        outcomes[outcome_of(reason)][reason] += count
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
        print_line(f"{one['files']:>9,} files read, {one['unread']:,} unread  {one['location']}")
    for name in ("documents", "noted", "superseded", "quarantined"):
        counts = content[name]
        assert isinstance(counts, dict)
        print_rows((name, reason, f"{count:,}") for reason, count in counts.items())
    print_line(f"quarantine: {content['quarantine']}")
    print_line(
        f"each one: engram policy sources --store {store} --show quarantined (or unread, ...)"
    )


def _said(store: Store, outcome: str) -> Iterable[dict[str, str]]:
    """The records of one outcome, from the quarantine."""
    return (one for one in store.rejections() if outcome_of(one["reason"]) == outcome)


def _unread(store: Store, sources: Sequence[SourceEntry]) -> Iterable[dict[str, str]]:
    """The files that no loader reads, of each source as it was last read."""
    for source in sources:
        for one in store.unread(source):
            origin = f"{source.location.rstrip('/')}/{shown(one['name'])}"
            yield {"reason": one["reason"], "origin": origin}
