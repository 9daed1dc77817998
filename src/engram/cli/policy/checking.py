"""Commands that maintain a store: verify and repair it, and list its duplicates."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from engram.cli.output import counting, print_json, reading
from engram.cli.policy.asking import STORE

if TYPE_CHECKING:
    from engram.policy.ingestion import Ingestion


@dataclass(frozen=True)
class Verify:
    """Compare every file of a store with its manifest; repair it from its sources.

    Args:
        store: Folder or s3:// URL of the store.
        repair: Read damaged parts again from their sources, if these still exist.
        json: Print JSON.
    """

    store: str = STORE
    repair: bool = False
    json: bool = False

    def __call__(self) -> int:
        """Verify the store and print its faults.

        Returns:
            1 if faults remain, else 0.
        """
        from engram.policy.ingestion import Repair, repair, verify  # noqa: PLC0415  not for --help
        from engram.policy.store import Store  # noqa: PLC0415

        store = Store(self.store)
        with counting("partitions") as told:
            faults = verify(store, told)
        done = Repair((), tuple(faults))
        if self.repair and faults:
            with reading() as progress:
                done = repair(store, faults, progress)
        if self.json:
            print_json({"store": self.store, "sound": not done.left} | asdict(done))
            return int(bool(done.left))
        for fault in done.mended:
            _say(f"mended: {fault.file}: {fault.problem}")
        for fault in done.left:
            _say(f"wrong: {fault.file}: {fault.problem}")
            if fault.sources:
                _say(f"  {fault.documents:,} documents, from {', '.join(fault.sources)}")
        _say(self._verdict(done.left))
        return int(bool(done.left))

    def _verdict(self, left: tuple[object, ...]) -> str:
        if not left:
            return f"{self.store} is sound"
        if self.repair:
            return (
                "not repaired: restore the sources at their old locations and repeat the command, "
                "restore copies of the files, or ingest into a new store"
            )
        return f"repair it: engram policy verify --repair --store {self.store}"


@dataclass(frozen=True)
class ShowDoubles:
    """List duplicate documents of a store, and which copy is counted.

    Args:
        store: Folder or s3:// URL of the store.
        json: Print JSON.
    """

    store: str = STORE
    json: bool = False

    def __call__(self) -> int:
        """Print one line per copy that is not counted."""
        from engram.policy.store import Store  # noqa: PLC0415  not for --help

        store = Store(self.store)
        rows = list(store.doubles())
        if self.json:
            print_json({"store": self.store, "doubles": rows})
            return 0
        for row in rows:
            _say(
                f"{row['double_date']}  {row['double']}  is counted as {row['kept']}, "
                f"{row['kept_date']}  (Jaccard {row['jaccard']:.2f})"
            )
        notes = store.manifest.doubles.describe()
        _say(" ".join(notes) if notes else "there are no duplicate documents")
        return 0


def identity_rows(added: "Ingestion") -> list[tuple[str, ...]]:
    """Versions and duplicates found by an ingestion, for a table.

    Args:
        added: The result of the ingestion.
    """
    counts = {
        "updated": added.updated,
        "already there": added.unchanged,
        "older than the store's": added.older,
        "twice in an input": added.repeated,
        "no longer in the input": added.left,
        "in two sources": added.doubles.two_sources,
        "twice in one source": added.doubles.one_source,
    }
    return [("documents", name, str(count)) for name, count in counts.items() if count]


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)
