"""Choose the implementation: compiled kernels if possible, else the reference in plain torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from engram.neuron.kernel.shape import SHAPES
from engram.neuron.surrogate import Surrogate

Backend = Literal["numba", "triton", "reference"]

_KERNELS: dict[str, Backend] = {"cpu": "numba"}
if find_spec("triton"):
    _KERNELS["cuda"] = "triton"
_forced = False
_translated = False
_tracing_state = torch._C._get_tracing_state


def backend(device: str | torch.device = "cpu") -> Backend:
    """Return the implementation used by neurons on a device.

    Args:
        device: A device, or its type.

    Returns:
        "numba" on the CPU, "triton" on CUDA if it is installed, "reference" for plain torch on
        other devices and inside `reference()`. A neuron with a user-defined surrogate also runs
        on the reference.
    """
    kernels = _KERNELS.get(torch.device(device).type)
    return "reference" if _forced or kernels is None else kernels


@contextmanager
def reference() -> Iterator[None]:
    """Context in which neurons run on the reference in plain torch."""
    global _forced  # noqa: PLW0603
    before, _forced = _forced, True
    try:
        yield
    finally:
        _forced = before


@contextmanager
def kernels_translated() -> Iterator[None]:
    """Context in which an ONNX export sees the kernels' operators, which its caller translates."""
    global _translated  # noqa: PLW0603
    before, _translated = _translated, True
    try:
        yield
    finally:
        _translated = before


def writes_onnx() -> bool:
    """Whether this call is exported to ONNX, which supports neither kernels nor complex numbers."""
    return torch.onnx.is_in_onnx_export()


def uses_reference(x: Tensor, surrogate: Surrogate) -> bool:
    """Whether this input with this surrogate runs on the reference."""
    compiled = not _forced if x.is_cpu else backend(x.device) != "reference"
    if not compiled or type(surrogate) not in SHAPES:
        return True
    # an export compiles or traces; asking torch whether it is one to ONNX takes a µs
    recorded = torch.compiler.is_compiling() or _tracing_state() is not None
    return recorded and not _translated and writes_onnx()
