"""`engram retrieval train`."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from engram.cli.output import print_json, print_line
from engram.errors import EngramError
from engram.progress import bars
from engram.retrieval.library import exchange_head
from engram.retrieval.linear import LinearTraining
from engram.studies.caption_training import LEAK, train_head
from engram.studies.picture_search import STORE, models_for


@dataclass(frozen=True)
class TrainRetrieval:
    """Train a head on captions, which ranks instead of ConSE.

    Args:
        captions: Captions of pictures: a parquet file, a JSON file as Karpathy's splits, or lines
            of a name, a tab or comma, and a caption; default: Flickr8k in the folder that
            ENGRAM_DATA names.
        images: Folder of the pictures; default: that of the captions.
        training: How it is trained.
        hold_out: Share of the pictures whose captions are kept for the measurement.
        test: Captions to measure on instead, in a file of the same kinds.
        store: Folder of the index, whose pictures get new vectors; made if there is none.
        side: Side in pixels at which the network sees pictures; default: that of the index, or
            128.
        measure_only: Print the numbers, and leave the index as it is.
        json: Print JSON.
    """

    captions: Positional[Path | None] = None
    images: Path | None = None
    training: Annotated[LinearTraining, arg(name="")] = field(default_factory=LinearTraining)
    hold_out: float = 0.1
    test: Path | None = None
    store: Path = STORE
    side: int | None = None
    measure_only: bool = False
    json: bool = False

    def __call__(self) -> int:
        """Train, measure on the pictures held out, and exchange the head if it is better."""
        models, _ = models_for(self.store, self.side, untrained=True)
        with bars() as progress:
            trained = train_head(
                models,
                self._file(),
                self.images,
                self.training,
                self.hold_out,
                self.test,
                progress,
            )
        head, better = trained.head, trained.is_better
        taken = better and not self.measure_only
        pictures = 0
        if taken:
            pictures = exchange_head(self.store, models.encoder, head, head.file, head.content)
        content = {"head": head.name, "taken": taken, "pictures": pictures} | trained.measured
        if self.json:
            print_json(content | {"note": LEAK})
            return 0
        _show(content)
        if taken:
            print_line(f"The index in {self.store} is ranked by {head.name} from now on.")
        elif not better:
            print_line("It is not better than ConSE on the pictures held out; ConSE still ranks.")
        return 0

    def _file(self) -> Path:
        if self.captions is not None:
            return self.captions
        folder = os.environ.get("ENGRAM_DATA")
        path = Path(folder or ".") / "flickr8k" / "train.parquet"
        if not folder or not path.is_file():
            raise EngramError(
                "there are no captions; name a file of them, or let ENGRAM_DATA name the folder "
                "that has flickr8k/train.parquet"
            )
        return path


def _show(content: dict[str, Any]) -> None:
    table = Table("", "text to image R@1/5/10 %", "image to text R@1/5/10 %", "rSum")
    for name in ("trained", "conse"):
        row = content[name]
        cells = [" / ".join(f"{value:.1f}" for value in row[way]) for way in ("t2i", "i2t")]
        low, high = row["rsum_interval"]
        table.add_row(
            "two linear maps" if name == "trained" else "ConSE",
            *cells,
            f"{row['rsum']:.1f} [{low:.1f}, {high:.1f}]",
        )
    Console().print(table)
    print_line(
        f"Measured on {content['held_out']:,} pictures that were not trained on; "
        f"{content['unreadable']:,} pictures could not be read."
    )
    print_line(LEAK)
