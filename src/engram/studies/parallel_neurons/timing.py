"""Time of a neuron layer by sequence length and by width."""

import os
import time
from collections.abc import Mapping, Sequence
from statistics import median

import torch
from torch import Tensor

from engram.errors import EngramError
from engram.neuron import Neuron
from engram.neuron.presets import PRESETS, Place, fade
from engram.report import Figure, Report, Table
from engram.series import Series

STEPS = 16
"""T in the timings over N."""
UNITS = 4096
"""N in the timings over T."""
TENSORS = 3
"""Minimum number of tensors in memory during a timing: input, spikes and gradient."""
ROUNDS = 7
"""Number of timings of each neuron at a point, after a warm-up."""


def timing_points(steps: Sequence[int], units: Sequence[int]) -> list[tuple[int, int]]:
    """The distinct (T, N) to time: the given T at one N, then the given N at one T."""
    return list(dict.fromkeys([(T, UNITS) for T in steps] + [(STEPS, N) for N in units]))


def check_points(points: Sequence[tuple[int, int]]) -> None:
    """Raise ValueError if the tensors of a timing at one of these (T, N) exceed the memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for T, N in points:
        needed = TENSORS * T * N * torch.float32.itemsize
        if needed > memory:
            raise EngramError(
                f"timing T = {T} steps of N = {N} neurons takes {needed / 2**30:.3g} GiB, but this "
                f"machine has {memory / 2**30:.3g}: reduce steps_timed or units_timed"
            )


def time_neurons(
    names: Sequence[str], T: int, N: int, *, k: int, device: torch.device, seed: int
) -> dict[str, float]:
    """Time each neuron forward and backward.

    Args:
        names: The neurons.
        T: Steps of the sequence.
        N: Number of neurons.
        k: Order of the masked and the sliding PSN.
        device: Where to run.
        seed: Seed of the input.

    Returns:
        The median over the rounds for each neuron, in milliseconds.
    """
    x = torch.randn(T, N, generator=torch.Generator().manual_seed(seed)).to(device)
    x.requires_grad_()
    neurons = {name: PRESETS[name].make(Place(T, k)).to(device) for name in names}
    for neuron in neurons.values():
        fade(neuron, 1.0)
        _forward_backward_ms(neuron, x)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name, neuron in neurons.items():  # in turn, so that a disturbance affects all alike
            taken[name].append(_forward_backward_ms(neuron, x))
    return {name: median(times) for name, times in taken.items()}


def _forward_backward_ms(neuron: Neuron, x: Tensor) -> float:
    start = _now(x.device)
    neuron(x).sum().backward()
    return 1e3 * (_now(x.device) - start)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def report_timings(report: Report, timings: Mapping[tuple[int, int], Mapping[str, float]]) -> None:
    """Report the times, in a table and as figures over T and N.

    Args:
        report: The report to fill in.
        timings: Results of `time_neurons` at one or more (T, N).
    """
    names = list(next(iter(timings.values())))
    report.add(
        Table(
            "Time of a neuron layer alone (ms)",
            ["T", "N", *(PRESETS[name].label for name in names)],
            [[T, N, *(times[name] for name in names)] for (T, N), times in timings.items()],
            f"Forward and backward over T steps of N neurons: the median of {ROUNDS} rounds.",
            volatile=True,
        )
    )
    over_T = {T: times for (T, N), times in timings.items() if N == UNITS}
    over_N = {N: times for (T, N), times in timings.items() if T == STEPS}
    _report_growth(report, "T", "steps", over_T, f"N = {UNITS}")
    _report_growth(report, "N", "neurons", over_N, f"T = {STEPS}")


def _report_growth(
    report: Report, axis: str, unit: str, times: Mapping[int, Mapping[str, float]], fixed: str
) -> None:
    if not times:
        return
    points = sorted(times)
    series = [
        Series(
            f"{member.label}, over {axis}",
            points,
            [times[point][name] for point in points],
            axis=axis,
            unit="ms",
            index_unit=unit,
            volatile=True,
        )
        for name, member in PRESETS.items()
        if name in times[points[0]]
    ]
    report.add(
        *series,
        Figure(
            f"Time forward and backward, over {axis}",
            [line.name for line in series],
            x_log=True,
            y_log=True,
            caption=f"A neuron layer alone, at {fixed}.",
        ),
    )
