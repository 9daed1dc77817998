"""The device and the threads that torch uses, and evaluation mode."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from engram.errors import EngramError

MOST_THREADS = 1024
"""More than any machine gains from."""


def choose_device(device: str | None = None) -> torch.device:
    """Return the device of that name; None selects the first CUDA device or else the CPU.

    Raises:
        ValueError: There is no such device.
    """
    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if chosen == "meta":
        raise EngramError(f"device={device!r} holds no numbers: try cpu")
    try:
        return torch.empty(0, device=chosen).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise EngramError(f"device={device!r} cannot be used here ({reason}): try cpu") from error


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Context manager that sets the number of CPU threads of torch.

    Raises:
        ValueError: The number is below 1, or above what a machine can start: the underlying
            libraries would end the process.
    """
    if not 1 <= number <= MOST_THREADS:
        raise EngramError(
            f"threads is {number}: give 1 … {MOST_THREADS}, such as {os.cpu_count()} here"
        )
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """Inside, the model is in evaluation mode and builds no graph; yields where its weights are.

    Args:
        model: The model; a model without parameters counts as being on the CPU.
    """
    before = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield next((weight.device for weight in model.parameters()), torch.device("cpu"))
    finally:
        model.train(before[model])  # what a module does beside setting its flag
        _give_back(model, before, before[model])


def _give_back(module: nn.Module, before: Mapping[nn.Module, bool], around: bool) -> None:
    """Set each module's own flag; one that was added meanwhile has that of the module around it."""
    module.training = before.get(module, around)
    for child in module.children():
        _give_back(child, before, module.training)
