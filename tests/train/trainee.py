"""A small training to be killed, in one process or in several."""

import argparse
import hashlib
import json
import os
import random
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from engram.neuron import LIF
from engram.train import Conduct, Examples, Recipe, as_batch, checkpoint, processes, saving, train
from engram.train.feed import ExampleFeed
from engram.train.shard import whole


class Net(nn.Module):
    """A spiking network with dropout, and noise from the generators of NumPy and Python."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), LIF(), nn.Dropout(0.2), nn.Linear(16, 3))

    def stages(self) -> list[nn.Module]:
        """What is computed again where a test asks for it."""
        return [self.layers]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of `(batch, 6)`, from the mean of three steps."""
        if self.training:
            noise = np.random.rand() + random.random()  # noqa: NPY002  a model may use them
            x = x + 0.01 * noise
        return self.layers(x.expand(3, *x.shape)).mean(0)


def feeds() -> tuple[ExampleFeed, ExampleFeed]:
    """Training and validation examples."""
    inputs = torch.randn(61, 6, generator=torch.Generator().manual_seed(2))
    labels = inputs[:, :3].argmax(1)
    first, second = Examples(inputs[:40], labels[:40]), Examples(inputs[40:], labels[40:])
    return ExampleFeed(first, as_batch), ExampleFeed(second, as_batch)


RECIPE = Recipe(epochs=4, batch=8, lr=0.05, accumulate=2, average=0.9, clip=1.0, warmup=1)


def recipe_of(**settings: Any) -> Recipe:
    """The recipe with other settings."""
    return replace(RECIPE, **settings)


def start(folder: Path, *, recipe: Recipe = RECIPE, **options: Any):
    """Train the network, from its first weights or from a checkpoint."""
    torch.manual_seed(7)
    np.random.seed(8)  # noqa: NPY002
    random.seed(9)
    net = Net()
    conduct = options.pop("conduct", Conduct(save_s=0.0))
    outcome = train(net, *feeds(), recipe, folder, conduct=conduct, device="cpu", **options)
    return net, outcome


def result(net: nn.Module, outcome: Any) -> dict[str, Any]:
    """What must be equal, bit for bit."""
    weights = {name: whole(value).tolist() for name, value in net.state_dict().items()}
    return {
        "weights": weights,
        "losses": outcome.losses,
        "accuracies": outcome.accuracies,
        "generators": hashlib.sha256(repr(drawn()).encode()).hexdigest(),
    }


def drawn() -> list[Any]:
    """Numbers that the generators of torch, NumPy and Python draw next, which they draw again."""
    state = checkpoint.generators()
    numbers = [*torch.rand(3).tolist(), *np.random.rand(3), random.random()]  # noqa: NPY002
    checkpoint.restore_generators(state)
    return numbers


def say(line: str) -> None:
    """Tell the test that watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def hang(where: str, number: int) -> None:
    """Never return from a certain write of a checkpoint: of its state, marker or pieces."""
    left = [number]

    def pause(name: str) -> None:
        if name.endswith(where):
            left[0] -= 1
            if not left[0]:
                say("writing")
                # until the test kills it; without the test, no longer than its parent lives
                parent = os.getppid()
                while os.getppid() == parent:
                    time.sleep(0.2)
                os._exit(1)

    save, write, write_pieces = torch.save, checkpoint._write, saving.write_pieces

    def save_half(state: Any, file: Any, **settings: Any) -> None:
        save(state, file, **settings)
        pause(str(getattr(file, "name", "")))  # the content is not yet flushed

    def write_late(file: Path, content: bytes) -> None:
        pause(file.name)
        write(file, content)

    def write_unnamed(folder: Path, pieces: dict[str, Any]) -> None:
        write_pieces(folder, pieces)
        pause(folder.name)  # what the marker will say of them is not yet known

    torch.save, checkpoint._write = save_half, write_late
    saving.write_pieces = write_unnamed


def arguments() -> argparse.Namespace:
    """The arguments of this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--epoch-s", type=float, default=0.0)
    parser.add_argument("--hang", nargs=2, metavar=("FILE", "NUMBER"))
    parser.add_argument("--hang-in", metavar="RANK")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--sharded", action="store_true")
    parser.add_argument("--own-folder", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Train, with slow epochs or a write that never ends; print the reason of the end."""
    options = arguments()
    torch.set_num_threads(1)
    if options.hang and options.hang_in in (None, os.environ.get("RANK")):
        hang(options.hang[0], int(options.hang[1]))

    def begin(epoch: int) -> None:
        say(f"epoch {epoch}")
        time.sleep(options.epoch_s)

    with processes(timeout_s=60) as together:
        net, outcome = start(
            options.folder / str(together.rank) if options.own_folder else options.folder,
            recipe=recipe_of(epochs=options.epochs, sharded=options.sharded),
            conduct=Conduct(save_s=0.0, workers=options.workers),
            before_epoch=begin,
            together=together,
        )
        say(f"reason {outcome.reason}")
        found = result(net, outcome)
        if outcome.finished:
            name = f"result-{together.rank}-of-{together.size}.json"
            (options.folder / name).write_text(json.dumps(found))
    return 0 if outcome.finished else 143
