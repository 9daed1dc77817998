"""No CPU kernel reads or writes outside its tensors: pages that forbid access lie next to them.

A child process runs each kernel on tensors that begin right after, or end right before, a page of
memory without access. The processor stops the child at the first access outside.
"""

import ctypes
import mmap
import signal
import subprocess
import sys
from pathlib import Path
from shutil import which

import numpy as np
import pytest
import torch
from numba import njit
from torch import Tensor

from engram.kernel.memory import computed
from engram.neuron import IF, LIF, PSN, MaskedPSN, Neuron, ParametricLIF, Sigmoid, SlidingPSN
from engram.neuron.kernel import lif_launch, psn
from engram.neuron.kernel.shape import shape_of
from engram.vision.kernel import norm, norm_lif, whole
from tests.processors import run_valgrind

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mmap and mprotect of Linux")

PAGE = mmap.PAGESIZE
SIDES = ("before", "after")
SIZES = ((1, 1, 1), (3, 1, 5), (5, 2, 67), (70, 1, 33), (4, 1, 1027))


def guarded(x: Tensor, side: str) -> Tensor:
    """A copy of x in the same layout, with a page without access right before or after it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    room = -(-x.nbytes // PAGE) * PAGE
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    base = libc.mmap(None, room + 2 * PAGE, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    for page in (base, base + PAGE + room):
        assert libc.mprotect(page, PAGE, 0) == 0
    start = base + PAGE + (0 if side == "before" else room - x.nbytes)
    numbers = torch.frombuffer((ctypes.c_char * x.nbytes).from_address(start), dtype=x.dtype)
    return numbers.as_strided(x.shape, x.stride()).copy_(x)


def neurons(steps: int) -> list[Neuron]:
    """Every kind of kernel."""
    k = min(3, steps)
    return [
        *(LIF(), LIF(3.0, reset=-0.1), LIF(reset=None, detach_reset=True), IF(), ParametricLIF()),
        LIF(surrogate=Sigmoid(4.0)),
        *(PSN(steps), MaskedPSN(k, steps, lam=1.0), SlidingPSN(k)),
    ]


def run_neurons(side: str, dtype: torch.dtype) -> None:
    """Forward and backward of the neurons, from rest and from a state."""
    for size in SIZES:
        for neuron in neurons(size[0]):
            neuron.to(dtype)
            for parameter in neuron.parameters():
                parameter.data = guarded(parameter.data, side)
            x = guarded(torch.randn(size, dtype=dtype), side).requires_grad_()
            y = neuron(x)
            y.backward(guarded(torch.randn(size, dtype=dtype), side))
            if isinstance(neuron, PSN):
                continue
            _, state = neuron.run(x.detach()[:1])
            held = (guarded(v, side) if v.is_floating_point() else v for v in state)
            if not (isinstance(neuron, MaskedPSN) or state[0].numel() == 0):
                neuron.run(x, type(state)(*held))[0].backward(torch.ones_like(x))


def run_norms(side: str, dtype: torch.dtype) -> None:
    """The batch norm, alone and with neurons, and the kernels of whole numbers."""
    settings = lif_launch.Settings(2.0, 1.0, 0.0, True, False, *shape_of(Sigmoid(4.0)))
    for shape in ((2, 1, 1, 1), (4, 3, 5, 7), (2, 67, 3, 3), (4, 8, 33, 31)):
        drawn = torch.randn(shape, dtype=dtype).contiguous(memory_format=torch.channels_last)
        x = guarded(drawn, side).requires_grad_()
        weight, bias = (
            guarded(torch.rand(shape[1], dtype=computed(dtype)), side).requires_grad_()
            for _ in range(2)
        )
        g = guarded(drawn, side)
        norm.batch_norm(x, weight, bias, 1e-5).y.backward(g)
        norm_lif.norm_lif(x, weight, bias, 1e-5, 2, settings)[0].backward(g)
        if dtype is torch.bfloat16:
            continue
        assert whole.to_bytes(guarded(drawn.abs().floor(), side)) is not None
        if dtype is torch.float32:
            y, a, b, c = (guarded(drawn, side) for _ in range(4))
            whole.add_digits(y, a, b, c, bias.detach())


@njit
def write_sixth(x: np.ndarray) -> None:
    """Numba does not check indices."""
    x[5] = 1.0


def main(side: str, *reals: str) -> None:
    """What the child process runs."""
    torch.manual_seed(0)
    if reals == ("outside",):
        x = guarded(torch.ones(5), side)
        outside = x.data_ptr() + (-4 if side == "before" else x.nbytes)
        raise SystemExit(f"read {ctypes.c_float.from_address(outside).value} outside")
    if reals == ("overrun",):  # memory that a kernel's caller allocates has no such page
        write_sixth(np.empty(5))
    for module in (lif_launch, psn, norm, norm_lif):
        vars(module)["new_like"] = lambda x: guarded(torch.zeros_like(x), side)  # for results
    for real in set(reals) & {"float32", "float64"}:
        run_neurons(side, getattr(torch, real))
        run_norms(side, getattr(torch, real))
    if "float32" in reals:  # the type in which kernels compute with it
        run_norms(side, torch.bfloat16)


@pytest.mark.parametrize("side", SIDES)
def test_kernels_stay_inside_their_tensors(side: str) -> None:
    done = child(side, "float32", "float64")
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("side", SIDES)
def test_an_access_outside_stops_the_child(side: str) -> None:
    assert child(side, "outside").returncode == -signal.SIGSEGV


@pytest.mark.slow
@pytest.mark.skipif(which("valgrind") is None, reason="valgrind is not installed")
@pytest.mark.parametrize(
    ("reals", "status"), [(("float32",), 0), (("float64",), 0), (("overrun",), 9)]
)
def test_valgrind_finds_an_overrun_and_nothing_else(reals: tuple[str, ...], status: int) -> None:
    done = run_valgrind("before", *reals)
    assert done.returncode == status, done.stderr[-2000:]
    assert ("Invalid write" in done.stderr) == (status == 9)


def child(side: str, *reals: str) -> subprocess.CompletedProcess[str]:
    """Runs this file in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.neuron.kernel.test_guard", side, *reals],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
