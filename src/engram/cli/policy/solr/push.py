"""`engram policy solr push`."""

from dataclasses import asdict, dataclass

from engram.cli.output import print_json, print_line, print_rows
from engram.cli.policy.asking import STORE
from engram.policy.solr import Solr, push
from engram.policy.store import Store
from engram.progress import bars


@dataclass(frozen=True)
class PushToSolr:
    """Push a store to a Solr collection, and check the counts.

    Args:
        store: Folder or s3:// URL of the store.
        solr_url: Address of the collection; default: ENGRAM_SOLR_URL.
        shards: Number of shards of a new collection.
        prune: Remove documents that are not in the store.
        json: Print JSON.
    """

    store: str = STORE
    solr_url: str | None = None
    shards: int = 1
    prune: bool = False
    json: bool = False

    def __call__(self) -> int:
        """Push, and print the content of Solr."""
        store = Store(self.store)
        with Solr(self.solr_url) as solr, bars() as progress:
            done = push(store, solr, self.shards, self.prune, progress)
        if self.json:
            print_json({"url": solr.url} | asdict(done))
            return 0
        print_rows((name, str(count)) for name, count in asdict(done).items())
        print_line(solr.url)
        return 0
