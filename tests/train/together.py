"""What the processes of a training do together; run by torchrun, or alone."""

import json
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD

from engram.neuron import Neuron
from engram.train import (
    Engine,
    ExampleFeed,
    Examples,
    Processes,
    Recipe,
    SpikeLog,
    as_batch,
    evaluate,
    processes,
    saving,
    schedule,
    shard,
    synchronise,
    train,
)
from engram.train.checkpoint import facts
from engram.train.recompute import Recompute, recomputed
from engram.train.shard import whole
from engram.vision import Spikingformer

FEW, MANY = 20, 200
"""Steps of the comparison by default, and in the slow test."""

# Adam would enlarge the rounding errors of gradients that are zero, as that of a bias is before a
# batch norm
DESCENT = partial(SGD, lr=0.02, momentum=0.9)


def images(n: int, dtype: torch.dtype) -> Examples:
    """Random images of two classes that differ in brightness."""
    generator = torch.Generator().manual_seed(8)
    labels = torch.arange(n) % 2
    pixels = torch.randn(n, 1, 16, 16, generator=generator, dtype=torch.float64)
    return Examples((pixels + labels[:, None, None, None]).to(dtype), labels)


def numbers(n: int) -> Examples:
    """Random vectors of three classes."""
    inputs = torch.randn(n, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Examples(inputs, torch.arange(n) % 3)


def engine(model: nn.Module, examples: Examples, together: Processes, **options: Any) -> Engine:
    """An engine on these examples."""
    optimizer = options.pop("optimizer", DESCENT)(model.parameters())
    feed = ExampleFeed(examples, as_batch)
    rate = schedule("constant", MANY)
    return Engine(model, feed, optimizer, rate, seed=3, together=together, **options)


def after(one: Engine, steps: int) -> list[float]:
    """The weights after some steps."""
    while True:
        for step in one.steps():
            if step.number == steps:
                weights = [weight.detach().flatten() for weight in one.model.parameters()]
                return torch.cat(weights).double().tolist()
        one.end_epoch()


def spiking(together: Processes, steps: int, synchronised: bool) -> list[float]:
    """A small Spikingformer in float64, with a last batch of another size in each epoch."""
    torch.manual_seed(1)
    model = Spikingformer(1, 16, 2, steps=2, num_classes=2, in_channels=1, pools=(3, 4)).double()
    if synchronised:
        synchronise(model)
    return after(engine(model, images(20, torch.float64), together, batch=8), steps)


def spiking32(together: Processes, steps: int, synchronised: bool) -> tuple[list, list[float]]:
    """The spikes and the losses of a Spikingformer in float32, by step."""
    torch.manual_seed(1)
    model = Spikingformer(1, 16, 2, steps=2, num_classes=2, in_channels=1, pools=(3, 4))
    if synchronised:
        synchronise(model)
    log = SpikeLog(model, Neuron, together)
    one = engine(model, images(20, torch.float32), together, batch=8, hooks={"spikes": log})
    losses: list[float] = []
    while len(losses) < steps:
        for step in one.steps():
            losses.append(together.sum(step.loss).item() / step.examples)
            if len(losses) == steps:
                break
        else:
            one.end_epoch()
    return log.steps, losses


def smooth(
    together: Processes, steps: int, dtype: torch.dtype, how: Recompute = "nothing", **options: Any
) -> list[float]:
    """A network without spikes."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
    synchronise(model)
    # the last batch is divided into 3 and 4; variances of 3 examples would enlarge rounding errors
    examples = numbers(47)
    examples = Examples(examples.inputs.to(dtype), examples.labels)
    with recomputed(model, how):
        return after(engine(model, examples, together, **options), steps)


def first_gradient(together: Processes) -> list[float]:
    """The gradient of a batch of 64 in 4 parts."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    sgd = partial(SGD, lr=1.0)
    one = engine(model, numbers(64), together, batch=64, accumulate=4, optimizer=sgd)
    return after(one, 1)


def evaluated(together: Processes) -> dict[str, Any]:
    """Outputs for 21 examples in batches of 4."""
    torch.manual_seed(1)
    model = nn.Linear(6, 3).double()
    outputs, labels = evaluate(
        model, ExampleFeed(numbers(21), as_batch), batch=4, together=together
    )
    loss = F.cross_entropy(outputs, labels).item()
    return {"n": len(outputs), "labels": labels.tolist(), "outputs": outputs.tolist(), "loss": loss}


def divided(
    together: Processes,
    folder: Path,
    *,
    sharded: bool = True,
    stop: int | None = None,
    how: Recompute = "nothing",
) -> list[float]:
    """The weights of a spiking network in float64 that is trained, or continued, in a folder."""
    feed = ExampleFeed(images(20, torch.float64), as_batch)
    recipe = Recipe(
        epochs=3, batch=8, lr=0.02, optimizer="sgd", average=0.9, clip=1.0, accumulate=2,
        synchronised=True, sharded=sharded, recompute=how,
    )  # fmt: skip
    torch.manual_seed(1)
    model = Spikingformer(1, 16, 2, steps=2, num_classes=2, in_channels=1, pools=(3, 4)).double()

    def cut(epoch: int) -> None:
        if epoch == stop:
            raise InterruptedError

    with suppress(InterruptedError):
        train(model, feed, feed, recipe, folder, together=together, device="cpu", before_epoch=cut)
    return torch.cat([whole(w.detach()).flatten() for w in model.parameters()]).tolist()


def sharding(together: Processes, folder: Path) -> dict[str, Any]:
    """What sharded weights become, from the beginning and continued from several places."""
    copies = divided(together, folder / "copies", sharded=False)
    shards = divided(together, folder / "shards")
    for name in ("cut", "by two"):
        divided(together, folder / name, stop=1)
    return {
        "copies": copies,
        "shards": shards,
        "cut": divided(together, folder / "cut"),
        "of one": divided(together, folder / "by one"),
        "recomputed": divided(together, folder / "recomputed", how="stages"),
        "unwritten": unwritten(together, folder / "unwritten"),
        "local": sum(p.to_local().numel() for p in sharded_net(together).parameters()),
    }


def unwritten(together: Processes, folder: Path) -> list[str]:
    """The errors where the second process cannot write its share, or sees another folder."""

    def full(_file: Path) -> None:
        raise OSError("no space left in the second process")

    said = []
    apart = folder / str(together.rank)
    for place, check in ((folder, full if together.rank else facts), (apart, facts)):
        with patch.object(saving, "facts", check):
            try:
                divided(together, place)
            except ValueError as error:
                said.append(str(error))
    return said


def sharded_net(together: Processes) -> Any:
    """A network of 6·8 + 8 + 8·4 + 4 parameters, divided among the processes."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 4))
    shard(model, together)
    return model


def too_small(together: Processes) -> str:
    """The refusal of a batch that cannot be divided."""
    try:
        after(engine(nn.Linear(6, 3).double(), numbers(9), together, batch=8), 2)
    except ValueError as error:
        return str(error)
    return ""


def all_of(together: Processes, steps: int, *, plain: bool = False) -> dict[str, Any]:
    """What each of these makes."""
    return {
        "spiking": spiking(together, steps, not plain),
        "float64": smooth(together, steps, torch.float64, batch=8, accumulate=2),
        "recomputed": smooth(together, steps, torch.float64, "stages", batch=8, accumulate=2),
        "float32": smooth(together, steps, torch.float32, batch=8),
        "gradient": first_gradient(together),
        "evaluated": evaluated(together),
        "too small": too_small(together),
        "flags": together.any(together.rank == 1, False),
    }


def main() -> None:
    """Write what this process found."""
    torch.set_num_threads(1)
    with processes(timeout_s=60) as together:
        found = all_of(together, int(sys.argv[2])) | {
            "divided": sharding(together, Path(sys.argv[1]))
        }
        spikes = spiking32(together, int(sys.argv[2]), True)
        if together.first:
            torch.save(spikes, Path(sys.argv[1], "spikes.pt"))
        Path(sys.argv[1], f"{together.rank}.json").write_text(json.dumps(found))
