"""`engram policy doubles`."""

from dataclasses import dataclass

from engram.cli.output import print_json, print_line
from engram.cli.policy.asking import STORE
from engram.policy.store import Store


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
        store = Store(self.store)
        rows = list(store.doubles())
        if self.json:
            print_json({"store": self.store, "doubles": rows})
            return 0
        for row in rows:
            print_line(
                f"{row['double_date']}  {row['double']}  is counted as {row['kept']}, "
                f"{row['kept_date']}  (Jaccard {row['jaccard']:.2f})"
            )
        notes = store.manifest.doubles.describe()
        print_line(" ".join(notes) if notes else "there are no duplicate documents")
        return 0
