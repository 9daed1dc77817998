"""Features of stimuli: what the layers of a model give, reduced on the device, kept on disk."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from engram.carried import Memory, repeatable
from engram.device import evaluating
from engram.errors import EngramError
from engram.layout import TOLERANCE, Followed, follow, moved, samples_along, tensors_in
from engram.record.trace import check_named

LARGEST = 1 << 28
"""Bytes of the features of a layer that are kept as they are; more are projected."""
MOST = 8192
"""Dimensions of a projection at most."""

OverTime = Callable[[Tensor], Tensor]
"""Reduces `(time, batch, …)` to `(batch, …)`."""


class Features(NamedTuple):
    """Features of a layer, one row per stimulus, in a file.

    Attributes:
        path: The file: float32, row by row.
        stimuli: Number of rows.
        size: Number of features of the layer.
        kept: Number of columns of the file. If it differs from `size`, the last column is √size
            times the mean of the features, and the others are a random projection of what is left
            after subtracting it, so that products of rows are those of the features up to 1/√kept.
    """

    path: Path
    stimuli: int
    size: int
    kept: int

    @property
    def projected(self) -> bool:
        """Whether the columns are a projection."""
        return self.kept != self.size

    def values(self) -> np.ndarray:
        """The matrix `(stimuli, kept)`, float32."""
        return np.fromfile(self.path, np.float32).reshape(self.stimuli, self.kept)


class Tap(NamedTuple):
    """Runs a model on a batch and returns the features of its layers.

    Attributes:
        run: Maps a batch to features `(batch, …)` by layer.
        left_out: Why layers have none, by layer.
    """

    run: Callable[[Any], dict[str, Tensor]]
    left_out: Mapping[str, str]


def leaves(model: nn.Module) -> list[str]:
    """Names of layers in the order of their definition: children, and those of containers.

    Dropout, identities and flattening, which compute nothing that is not in the layer before, are
    left out.

    Args:
        model: A model.
    """
    idle = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.Identity, nn.Flatten)
    found = []
    for name, child in model.named_children():
        if isinstance(child, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            inner = [
                f"{name}.{one}"
                for one, part in child.named_children()
                if not isinstance(part, idle)
            ]
            found += inner or [name]
        elif not isinstance(child, idle):
            found.append(name)
    return found


def step_of(step: int) -> OverTime:
    """The output of one step, from 0, instead of the mean over time."""

    def chosen(x: Tensor) -> Tensor:
        if not -len(x) <= step < len(x):
            raise EngramError(f"step {step} of {len(x)}: give one from 0 to {len(x) - 1}")
        return x[step]

    return chosen


def first_spike(x: Tensor) -> Tensor:
    """The step of the first output above 0, from 0; the number of steps where there is none.

    Args:
        x: `(time, batch, …)`.
    """
    fired = x > 0
    return torch.where(fired.any(0), fired.int().argmax(0), len(x)).float()


def _mean(x: Tensor) -> Tensor:
    return x.mean(0, dtype=torch.float32)


@contextmanager
def tap(
    model: nn.Module, layers: Sequence[str], first: Any, over_time: OverTime = _mean
) -> Iterator[Tap]:
    """Find out how layers return the samples of a batch, and record them.

    The axis of the samples of each layer is found by running the last sample of a batch alone: it
    is the one along which that sample's output is the same. A layer with time before the samples,
    or that runs several times in a call, is reduced over time. The state that modules keep is set
    back before each batch.

    Args:
        model: The model; it runs in evaluation mode inside the context.
        layers: Names of modules, as in `model.named_modules()`. Of an output with several tensors
            the first counts.
        first: A batch of two or more samples along axis 0.
        over_time: Reduces `(time, batch, …)` to `(batch, …)`; default: the mean.

    Raises:
        ValueError: The model lacks a layer, the batch has one sample, or the features of a sample
            depend on the others.
    """
    known = dict(model.named_modules())
    check_named(known, layers)
    if samples_along(first, 0) < 2:
        raise EngramError("the first batch has one sample: give two or more")
    held: dict[str, list[Tensor]] = {}
    with evaluating(model) as device, ExitStack() as hooks:
        start = Memory(model)
        for name in dict.fromkeys(layers):
            hook = _hook(held, name)
            hooks.callback(known[name].register_forward_hook(hook).remove)
        axes, left = _axes(model, moved(first, device), start, held, layers)

        def run(batch: Any) -> dict[str, Tensor]:
            held.clear()
            start.restore()
            model(moved(batch, device))
            return {name: _reduced(held[name], axis, over_time) for name, axis in axes.items()}

        try:
            yield Tap(run, left)
        finally:
            start.restore()


def _hook(held: dict[str, list[Tensor]], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        found = tensors_in(output)
        if found:
            held.setdefault(name, []).append(found[0])

    return hook


def _axes(
    model: nn.Module,
    batch: Any,
    start: Memory,
    held: dict[str, list[Tensor]],
    layers: Sequence[str],
) -> tuple[dict[str, int], dict[str, str]]:
    """The axis of the samples of each layer, and why others are left out."""
    with repeatable(model, start) as call:

        def outputs(inputs: Any) -> list[Tensor]:
            held.clear()
            call(inputs)
            return [held[name][-1] for name in layers if name in held]

        found = follow(outputs, batch, 0)
    ran = [name for name in layers if name in held]
    left = {name: "it does not run, or returns no tensor" for name in layers if name not in held}
    axes = {}
    if not found:
        raise EngramError("the model does not run on one sample alone: check the shape of a batch")
    for name, one in zip(ran, found, strict=True):
        reason = _unfit(one)
        if one is None or reason:
            left[name] = reason
            continue
        if one.difference > TOLERANCE:
            raise EngramError(
                f"layer {name!r}: the features of a sample differ by {one.difference:.2g} of the "
                "largest when it is run alone, so they depend on the others in the batch; run the "
                "model in evaluation mode and with samples along axis 0"
            )
        axes[name] = one.axis
    return axes, left


def _unfit(one: Followed | None) -> str:
    if one is None:
        return "its output has no axis of samples"
    if one.entries > 1:
        return "its samples are folded with another axis; record the layer around it"
    return "" if one.axis in (0, 1) else f"its samples are along axis {one.axis}"


def _reduced(outputs: list[Tensor], axis: int, over_time: OverTime) -> Tensor:
    if len(outputs) > 1:  # a model that is called step by step runs its layers as often
        steps = torch.stack(outputs) if axis == 0 else torch.cat(outputs)
        return over_time(steps)
    return over_time(outputs[0]) if axis == 1 else outputs[0]


def collect(
    run: Callable[[Any], Mapping[str, Tensor]],
    batches: Iterable[Any],
    stimuli: int,
    folder: Path,
    largest: int = LARGEST,
) -> dict[str, Features]:
    """Run all stimuli and keep the features of each layer in a file.

    A layer whose features take more than `largest` bytes is projected while it runs: random signs,
    then sums of every k-th feature, k a prime number.

    Args:
        run: Maps a batch to features `(batch, …)` by layer; see `tap`.
        batches: The stimuli, in batches.
        stimuli: Their number.
        folder: An existing folder for the files.
        largest: Bytes of the features of a layer at most.

    Raises:
        ValueError: There is no stimulus, another number of them, or a feature is not finite.

    References:
        Johnson, Lindenstrauss (1984); Charikar et al., "Finding frequent items in data streams",
        ICALP 2002, for sums of features with random signs.
    """
    writers: dict[str, _Writer] = {}
    done = 0
    with ExitStack() as files:
        for batch in batches:
            for place, (name, found) in enumerate(run(batch).items()):
                rows = found.reshape(len(found), -1)
                if name not in writers:
                    path = folder / f"{place:04d}.f32"
                    writers[name] = _Writer(name, path, rows.shape[1], stimuli, largest)
                    files.enter_context(writers[name].file)
                writers[name].write(rows)
            done += samples_along(batch, 0)
    if done != stimuli or not writers:
        raise EngramError(f"{done} stimuli ran and {stimuli} were to run, in {len(writers)} layers")
    return {
        name: Features(writer.path, stimuli, writer.size, writer.kept)
        for name, writer in writers.items()
    }


def kept_columns(size: int, stimuli: int, largest: int = LARGEST) -> int:
    """Columns that are kept of a layer's features; see `collect`.

    Args:
        size: Number of features.
        stimuli: Number of stimuli.
        largest: Bytes at most.
    """
    if 4 * size * stimuli <= largest or size <= MOST:
        return size
    return _prime(max(2, min(MOST, largest // (4 * stimuli)))) + 1


def _prime(most: int) -> int:
    """The largest prime number up to `most`."""
    while any(most % part == 0 for part in range(2, int(most**0.5) + 1)):
        most -= 1
    return most


class _Writer:
    """Writes the features of a layer, projected if they are many."""

    def __init__(self, name: str, path: Path, size: int, stimuli: int, largest: int) -> None:
        self.name, self.path, self.size = name, path, size
        self.kept = kept_columns(size, stimuli, largest)
        self.file = path.open("wb")
        self.signs: Tensor | None = None

    def write(self, rows: Tensor) -> None:
        if rows.shape[1] != self.size:
            raise EngramError(
                f"layer {self.name!r} gives {rows.shape[1]} features of a stimulus and "
                f"{self.size} of another: give stimuli of one size"
            )
        rows = rows.detach()
        if self.kept == self.size:
            found = rows.to(torch.float32)
        else:
            found = torch.stack([self._projected(row) for row in rows])
        values = found.cpu().numpy()
        if not np.isfinite(values).all():
            raise EngramError(f"layer {self.name!r} gives NaN or infinity: leave it out")
        self.file.write(np.ascontiguousarray(values).tobytes())

    def _projected(self, row: Tensor) -> Tensor:
        count = self.kept - 1
        if self.signs is None:
            generator = torch.Generator().manual_seed(zlib.crc32(self.name.encode()))
            bits = torch.randint(0, 2, (self.size,), generator=generator, dtype=torch.int8)
            self.signs = (2 * bits - 1).to(row.device)
        mean = row.mean(dtype=torch.float64)
        signed = (row.to(torch.float32) - mean.to(torch.float32)) * self.signs
        short = -self.size % count
        folded = nn.functional.pad(signed, (0, short)).view(-1, count).sum(0)
        last = (mean * self.size**0.5).to(torch.float32)
        return torch.cat([folded, last[None]])
