"""The device and the threads that torch computes with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def choose_device(device: str | None = None) -> torch.device:
    """The device of that name; when None, the first CUDA device, else the CPU.

    Raises:
        ValueError: There is no such device here.
    """
    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=chosen).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"device={device!r} cannot be used here ({reason}): try cpu") from error


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Inside, torch computes with so many CPU threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
