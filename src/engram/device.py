"""The device and the threads that torch computes with."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

MOST_THREADS = 1024
"""More than any machine gains from."""


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
    """Inside, torch computes with so many CPU threads.

    Raises:
        ValueError: There are none, or more than a machine can start: the libraries underneath
            would end the process.
    """
    if not 1 <= number <= MOST_THREADS:
        raise ValueError(
            f"threads is {number}: give 1 … {MOST_THREADS}, such as {os.cpu_count()} here"
        )
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
