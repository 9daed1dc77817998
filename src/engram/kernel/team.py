"""Runs a CPU kernel on several threads: the team of OpenMP that torch uses, where it is loaded."""

import ctypes
import os
import struct
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

GRAIN = 1 << 15
"""Below this many neuron-steps a second thread costs more than it gives."""

Entry = Callable[[int], None]
"""A compiled kernel: it takes the address of its words."""

_forked = False


def entry(address: int) -> Entry:
    """The kernel at an address, callable from Python; the call releases the interpreter's lock."""
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)


def bits(number: float) -> int:
    """The 64 bits of a float, which is how a kernel takes it."""
    return struct.unpack("q", struct.pack("d", number))[0]


def launch(kernel: Entry, pieces: int, size: int, *words: int, threads: int) -> None:
    """Runs all pieces of a kernel and returns when they are done.

    Args:
        kernel: The kernel.
        pieces: How many pieces the work falls into.
        size: Neuron-steps in all, which decides whether further threads pay.
        words: What follows the two counters: addresses (0 for what is absent), integers, `bits`.
        threads: The most threads that may run; fewer do where the work is small.
    """
    block = array("q", (0, pieces, *words))
    at = block.buffer_info()[0]
    threads = min(threads, pieces, size // GRAIN)
    if threads <= 1:
        kernel(at)
    elif (start := _openmp()) is not None and not _forked:
        start(kernel, at, threads, 0)
    else:  # a forked child must not touch the parent's OpenMP team
        for done in wait([_pool(threads).submit(kernel, at) for _ in range(threads)]).done:
            done.result()


@cache
def _openmp() -> Callable[[Entry, int, int, int], None] | None:
    """OpenMP's entry point in the runtime that torch has loaded, where it has one."""
    try:
        start = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):  # not a GNU-compatible runtime, or no such loader
        return None
    start.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    start.restype = None
    return start


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="engram")


def _mark_forked() -> None:
    global _forked  # noqa: PLW0603
    _forked = True
    _pool.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark_forked)
