"""A training by an ordinary user whose folder can no longer be written to."""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engram.train import Conduct, ExampleFeed, Examples, Recipe, as_batch, train

NOBODY = 65534
READABLE = 0o555


def main() -> int:
    """Train in a folder; `epoch` says when the folder of the checkpoints becomes read-only."""
    folder, closed = Path(sys.argv[1]), int(sys.argv[2])
    if not os.getuid():  # nothing is read-only for root
        os.setuid(NOBODY)
    torch.set_num_threads(1)
    inputs = torch.randn(20, 3)
    feed = ExampleFeed(Examples(inputs, torch.arange(20) % 2), as_batch)

    def begin(epoch: int) -> None:
        sys.stdout.write(f"epoch {epoch}\n")
        if epoch == closed:
            (folder / "checkpoints").chmod(READABLE)

    options: Any = {"conduct": Conduct(save_s=0.0), "before_epoch": begin, "device": "cpu"}
    recipe = Recipe(epochs=3, batch=4)
    try:
        train(nn.Linear(3, 2), feed, feed, recipe, folder, **options)
    except ValueError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    return 0
