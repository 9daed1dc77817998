"""The number format of a training's products: chosen by what the machine computes fast."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from statistics import median
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from engram.errors import EngramError

PrecisionName = Literal["auto", "float32", "bfloat16", "float16"]
ROUNDS, GAIN = 3, 1.1
"""Timed steps of each format, and how much faster bfloat16 must be for "auto" to choose it."""


class Precision(NamedTuple):
    """A number format, and why it was chosen.

    Attributes:
        dtype: The format of products under autocast; float32 uses no autocast.
        reason: The reason in words.
    """

    dtype: torch.dtype
    reason: str

    def context(self, device: torch.device) -> AbstractContextManager[object]:
        """The context in which outputs and losses are computed."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(device.type, self.dtype)


FLOAT32 = Precision(torch.float32, "float32: the default")


def choose_precision(
    name: PrecisionName,
    model: nn.Module,
    batch: tuple[Any, Tensor],
    loss: Callable[[Tensor, Tensor], Tensor],
) -> Precision:
    """Return the number format of that name; "auto" times a copy of the model in two formats.

    Args:
        name: The format, or "auto".
        model: The model, on its device; it is not changed.
        batch: An input and its labels, on the device of the model.
        loss: The loss of outputs and labels.

    Raises:
        ValueError: If there is no such format, or float16 is asked of a CPU.
    """
    device = next(model.parameters()).device
    formats = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name in formats:
        if name == "float16" and device.type == "cpu":
            raise EngramError("precision='float16' is for GPUs: choose float32 or bfloat16")
        return Precision(formats[name], f"{name}: as asked for")
    if name != "auto":
        raise EngramError(f"precision={name!r}: choose auto, {', '.join(formats)}")
    choices = [Precision(dtype, "") for dtype in (torch.float32, torch.bfloat16)]
    seconds: list[list[float]] = [[], []]
    for turn in range(ROUNDS + 1):
        for choice, times in zip(choices, seconds, strict=True):
            if turn > 1 and median(seconds[1]) > 2 * median(seconds[0]):
                continue  # one look at a format that is many times slower is enough
            times.append(_step_s(choice, model, batch, loss, device))
    wide, narrow = (median(times[1:] or times) for times in seconds)
    chosen = "bfloat16" if wide > GAIN * narrow else "float32"
    said = f"a step takes {1e3 * wide:.3g} ms in float32 and {1e3 * narrow:.3g} ms in bfloat16"
    return Precision(formats[chosen], f"{chosen}: {said} on this {device.type}")


def _step_s(
    choice: Precision,
    model: nn.Module,
    batch: tuple[Any, Tensor],
    loss: Callable[[Tensor, Tensor], Tensor],
    device: torch.device,
) -> float:
    """Seconds of a forward and backward pass of a copy, which leaves torch's generators alone."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        copy = deepcopy(model).train()
        start = time.perf_counter()
        with choice.context(device):
            value = loss(copy(batch[0]), batch[1])
        value.backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start
