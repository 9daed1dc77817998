"""A training of two processes, the second of which sleeps or ends at the third step."""

import os
import sys
import time

import torch
from torch import nn
from torch.optim import SGD

from engram.train import Engine, ExampleFeed, Examples, as_batch, processes, schedule


class Sleeper:
    """Examples that keep the second process waiting."""

    def __init__(self, rank: int, end: str) -> None:
        inputs = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
        self.feed = ExampleFeed(Examples(inputs, torch.arange(40) % 3), as_batch)
        self.rank, self.end, self.read = rank, end, 0

    def __len__(self) -> int:
        return len(self.feed)

    def batch(self, rows, part, epoch):
        """A batch, late or never."""
        self.read += 1
        if self.rank and self.read == 3:
            if self.end == "killed":
                os._exit(9)
            time.sleep(20)
        return self.feed.batch(rows, part, epoch)


def main() -> int:
    """Train; print the error of a process that waited, and how long it waited."""
    torch.set_num_threads(1)
    start = time.monotonic()
    try:
        with processes(timeout_s=3) as together:
            model = nn.Linear(6, 3)
            feed = Sleeper(together.rank, sys.argv[1])
            rate = schedule("constant", 5)
            sgd = SGD(model.parameters(), lr=0.1)
            start = time.monotonic()
            for _ in Engine(model, feed, sgd, rate, batch=8, seed=0, together=together).steps():
                pass
    except ValueError as error:
        sys.stdout.write(f"{error}\n{time.monotonic() - start:.1f} s\n")
        return 2
    return 0
