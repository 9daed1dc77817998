"""A small training to be killed: run as a module, in one process or by torchrun."""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engram.neuron import LIF
from engram.train import Conduct, Examples, Recipe, as_batch, checkpoint, processes, train
from engram.train.feed import ExampleFeed


class Net(nn.Module):
    """A spiking network with dropout, to use the generator of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), LIF(), nn.Dropout(0.2), nn.Linear(16, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of `(batch, 6)`, from the mean of three steps."""
        return self.layers(x.expand(3, *x.shape)).mean(0)


def feeds() -> tuple[ExampleFeed, ExampleFeed]:
    """Training and validation examples."""
    inputs = torch.randn(61, 6, generator=torch.Generator().manual_seed(2))
    labels = inputs[:, :3].argmax(1)
    first, second = Examples(inputs[:40], labels[:40]), Examples(inputs[40:], labels[40:])
    return ExampleFeed(first, as_batch), ExampleFeed(second, as_batch)


RECIPE = Recipe(epochs=4, batch=8, lr=0.05, accumulate=2, average=0.9, clip=1.0, warmup=1)


def start(folder: Path, *, recipe: Recipe = RECIPE, **options: Any):
    """Train the network, from its first weights or from a checkpoint."""
    torch.manual_seed(7)
    net = Net()
    conduct = options.pop("conduct", Conduct(save_s=0.0))
    outcome = train(net, *feeds(), recipe, folder, conduct=conduct, device="cpu", **options)
    return net, outcome


def result(net: nn.Module, outcome: Any) -> dict[str, Any]:
    """What must be equal, bit for bit."""
    weights = {name: value.tolist() for name, value in net.state_dict().items()}
    generator = torch.get_rng_state().tolist()
    return {
        "weights": weights,
        "losses": outcome.losses,
        "accuracies": outcome.accuracies,
        "generator": generator,
    }


def say(line: str) -> None:
    """Tell the test that watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Train, with slow steps or writes so that a kill finds them; print the reason of the end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--step-s", type=float, default=0.0)
    parser.add_argument("--write-s", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    save = torch.save

    def slow(state: Any, file: Any, **settings: Any) -> None:
        save(state, file, **settings)
        if str(getattr(file, "name", "")).endswith(checkpoint.STATE):
            say("writing")
            time.sleep(options.write_s)  # the content is not yet flushed

    torch.save = slow

    def begin(epoch: int) -> None:
        say(f"epoch {epoch}")
        time.sleep(options.step_s)

    with processes(timeout_s=60) as together:
        net, outcome = start(
            options.folder,
            conduct=Conduct(save_s=0.0, workers=options.workers),
            before_epoch=begin,
            together=together,
        )
        say(f"reason {outcome.reason}")
        if outcome.finished:
            name = f"result-{together.rank}-of-{together.size}.json"
            (options.folder / name).write_text(json.dumps(result(net, outcome)))
    return 0 if outcome.finished else 143


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
