"""The device and the threads that torch uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def choose_device(device: str | None = None) -> torch.device:
    """Return the device of that name; None selects the first CUDA device or else the CPU.

    Raises:
        ValueError: There is no such device.
    """
    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=chosen).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"device={device!r} cannot be used here ({reason}): try cpu") from error


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Context manager that sets the number of CPU threads of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
