"""`engram policy verify`."""

from dataclasses import asdict, dataclass

from engram.cli.output import print_json, print_line
from engram.cli.policy.asking import STORE
from engram.policy.ingestion import Repair, repair, verify
from engram.policy.store import Store
from engram.progress import bars


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
        store = Store(self.store)
        with bars() as progress:
            faults = verify(store, progress)
            done = Repair((), tuple(faults))
            if self.repair and faults:
                done = repair(store, faults, progress)
        if self.json:
            print_json({"store": self.store, "sound": not done.left} | asdict(done))
            return int(bool(done.left))
        for fault in done.mended:
            print_line(f"mended: {fault.file}: {fault.problem}")
        for fault in done.left:
            print_line(f"wrong: {fault.file}: {fault.problem}")
            if fault.sources:
                print_line(f"  {fault.documents:,} documents, from {', '.join(fault.sources)}")
        print_line(self._verdict(done.left))
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
