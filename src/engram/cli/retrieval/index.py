"""`engram retrieval index`."""

from dataclasses import asdict, dataclass
from pathlib import Path

from tyro.conf import Positional

from engram.cli.output import print_json, print_line, print_rows
from engram.errors import EngramError
from engram.progress import bars
from engram.retrieval.library import Outcome, exchange_head, update
from engram.studies.picture_search import STORE, models_for

SHOWN = 20
"""Maximum number of unread files that are listed with their reasons; JSON lists all."""


@dataclass(frozen=True)
class IndexPictures:
    """Index the pictures of a folder, so that words and pictures find them.

    Files that are as they were are not read again. Nothing leaves this machine.

    Args:
        folder: The folder; folders in it are read too.
        store: Folder of the index; made if there is none.
        side: Side in pixels at which the network sees pictures, 128 in a new index; another one
            indexes all anew.
        untrained: Go back to ConSE from a head made by `engram retrieval train`.
        prune: Remove files that are gone, even if the folder is missing or empty, or more than
            half of its files are gone.
        workers: Threads that decode; default: the number of cores.
        json: Print JSON.
    """

    folder: Positional[Path]
    store: Path = STORE
    side: int | None = None
    untrained: bool = False
    prune: bool = False
    workers: int | None = None
    json: bool = False

    def __call__(self) -> int:
        """Index, and print what became of the files."""
        if self.workers is not None and not 1 <= self.workers <= 256:
            raise EngramError(f"workers is {self.workers}; give 1 … 256")
        models, head_file = models_for(self.store, self.side, self.untrained)
        if self.untrained:
            exchange_head(self.store, models.encoder, models.head)
        with bars() as progress:
            outcome = update(
                self.store,
                self.folder,
                models.encoder,
                models.head,
                prune=self.prune,
                workers=self.workers,
                progress=progress,
                head_file=head_file,
            )
        if self.json:
            print_json({"store": str(self.store)} | asdict(outcome))
        else:
            _show(outcome, self.store)
        return 0


def _show(outcome: Outcome, store: Path) -> None:
    counts = {
        "embedded": outcome.embedded,
        "of known content: copies, moved or renamed": outcome.known,
        "unchanged": outcome.unchanged,
        "gone, and removed": outcome.removed,
        "gone, and kept": outcome.kept,
        "not read": len(outcome.unreadable),
    }
    if outcome.former_model:
        print_line(f"Indexed anew: the index was of another model ({outcome.former_model}).")
    print_rows(("files", name, f"{count:,}") for name, count in counts.items() if count)
    for path, reason in list(outcome.unreadable.items())[:SHOWN]:
        print_line(f"  {path} {reason}")
    if len(outcome.unreadable) > SHOWN:
        print_line(f"  and {len(outcome.unreadable) - SHOWN:,} more; --json lists them")
    if outcome.why_kept:
        print_line(f"Nothing was removed, since {outcome.why_kept}; if that is meant, add --prune.")
    print_line(f"{outcome.pictures:,} pictures in {store}; nothing left this machine.")
