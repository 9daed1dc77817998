"""Commands that keep a record: into a store, and from a store into Solr."""

from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from tyro.conf import Positional

from engram.cli.output import counting, print_json, print_path, print_rows, reading
from engram.cli.policy.asking import STORE, Name, located


@dataclass(frozen=True)
class Ingest:
    """Read files of the record into a store; what is there already is skipped.

    Args:
        inputs: Folders, archives (zip, tar) or files, as paths or s3:// URLs; or `sotu`, the annual
            messages that come with Engram, or another source of `engram data list`.
        store: Folder or s3:// URL of the store; made if it is not there.
        workers: Local processes, or the address of a Dask scheduler; as many as cores by default.
        loaders: Loaders to use; all by default.
        json: Print JSON.
    """

    inputs: Positional[tuple[str, ...]]
    store: str = STORE
    workers: int | str | None = None
    loaders: tuple[Name, ...] = ()
    json: bool = False

    def __call__(self) -> int:
        """Ingest, and print what was added."""
        from engram.policy import ingest  # noqa: PLC0415  not for --help

        if not self.inputs:
            raise ValueError("nothing is named to ingest; name a folder, an archive or a file")
        with reading() as progress:
            added = ingest(
                [located(name) for name in self.inputs],
                self.store,
                workers=self.workers,
                loaders=self.loaders or None,
                progress=progress,
            )
        if self.json:
            print_json({"store": self.store} | asdict(added))
            return 0
        rows: list[tuple[str, ...]] = [
            ("documents", name, str(count)) for name, count in added.documents.items()
        ]
        rows += [("quarantined", name, str(count)) for name, count in added.rejected.items()]
        rows += [("already there", name) for name in added.sources_skipped]
        print_rows(rows or [("nothing new",)])
        print_path(Path(self.store))
        return 0


@dataclass(frozen=True)
class PushToSolr:
    """Bring a Solr collection to hold what a store holds, and check the counts.

    Args:
        store: Folder or s3:// URL of the store.
        solr_url: Address of the collection; ENGRAM_SOLR_URL if not given.
        shards: Shards of a collection that is made.
        prune: Remove documents that are not in the store.
        json: Print JSON.
    """

    store: str = STORE
    solr_url: str | None = None
    shards: int = 1
    prune: bool = False
    json: bool = False

    def __call__(self) -> int:
        """Push, and print what Solr holds."""
        from engram.policy.solr import Solr, push  # noqa: PLC0415  not for --help
        from engram.policy.store import Store  # noqa: PLC0415

        store = Store(self.store)
        with Solr(self.solr_url) as solr, counting("documents") as progress:
            done = push(store, solr, self.shards, self.prune, progress)
        if self.json:
            print_json({"url": solr.url} | asdict(done))
            return 0
        print_rows((name, str(count)) for name, count in asdict(done).items())
        Console().print(solr.url, markup=False, highlight=False, soft_wrap=True)
        return 0
