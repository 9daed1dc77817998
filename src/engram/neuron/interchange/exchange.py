"""To NIR and back: the functions that a user calls."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from torch import nn

from engram.errors import EngramError
from engram.neuron.interchange.graph import SpikingGraph
from engram.neuron.interchange.recurrent import RecurrentGraph
from engram.neuron.interchange.wiring import simplify, trace

if TYPE_CHECKING:
    import nir

Convention = Literal["physical", "per-step"]


def to_nir(
    net: nn.Module,
    sample_shape: Sequence[int],
    *,
    dt: float = 1e-4,
    convention: Convention = "physical",
) -> "nir.NIRGraph":
    """The network as a NIR graph, for other simulators and neuromorphic chips.

    A step of the network becomes a step of forward Euler, v ← v + dt/τ·(v_leak − v + r·i), with
    τ = tau·dt, v_leak the resting potential, and r = 1, or tau where the input does not decay. A
    SlidingPSN becomes k Delay nodes of 0 … k − 1 steps, each with its weight as a Scale, into one
    Threshold. `dt` and `convention` are written into the metadata, where `from_nir` finds them.

    Packages read an IF node in two ways. SpikingJelly wants r = 1/dt, which `convention="physical"`
    writes; snnTorch and sinabs want r = 1, which `convention="per-step"` writes. snnTorch takes
    dt = 1e-4 for all else; sinabs takes times in steps: `dt=1`, which makes the two the same.

    The network may be written for sequences or for single steps, as any `forward` that calls
    layers and adds their results; time is folded into batch by OverTime, or by `flatten(0, 1)` and
    back by `unflatten(0, …)`. Layers: Linear, Conv1d, Conv2d, AvgPool1d, AvgPool2d,
    AdaptiveAvgPool1d and 2d whose output divides their input, Flatten, BatchNorm after one of the
    first three (folded into it), Dropout (dropped), Delay. Neurons: IF, LIF, ParametricLIF and
    CubaLIF with a hard reset, LI, Threshold, SlidingPSN; loops in a RecurrentGraph. NIR fires above
    the threshold, these neurons also at it.

    Args:
        net: The network, in eval mode if it has batch norm or dropout.
        sample_shape: Shape of one step of one sample, without time and batch: `(700,)` or
            `(2, 34, 34)`.
        dt: Duration of a step in s.
        convention: What r of an IF node means: "physical", v ← v + dt·r·i a step, or "per-step",
            v ← v + r·i.

    Returns:
        The graph; `nir.write("net.nir", graph)` writes it to a file.

    Raises:
        ValueError: NIR cannot express a layer or an operation, which is named; or `dt` is not
            positive.
        ModuleNotFoundError: The package `nir` is not installed.

    References:
        Pedersen et al., "Neuromorphic intermediate representation: A unified instruction set for
        interoperable brain-inspired computing", Nature Communications 2024, arXiv 2311.14641.
    """
    _check_nir()
    from engram.neuron.interchange.export import export_graph  # noqa: PLC0415

    _check_dt(dt)
    _check_convention(convention)
    return export_graph(simplify(trace(net)), tuple(sample_shape), dt, convention)


def from_nir(
    graph: "nir.NIRGraph | str | Path",
    *,
    dt: float | None = None,
    convention: Convention | None = None,
    reset: Literal["value", "subtract"] | None = "value",
) -> SpikingGraph | RecurrentGraph:
    """The network that a NIR graph describes, ready to run and to train.

    The inverse of `to_nir`, for graphs from anywhere with one Input and one Output, of Linear,
    Affine, Conv1d, Conv2d, AvgPool2d, SumPool2d, Flatten, IF, LIF, CubaLIF, I, LI, CubaLI, Delay,
    Scale, Threshold, and graphs of these, loops included. Delays and Scales that lead into a
    Threshold become one SlidingPSN where they can. A resistance r that is neither 1 nor tau divides
    threshold and reset instead, which leaves the spikes the same. NIR holds no surrogates: the
    neurons get the default one.

    A file says neither how long a step lasts nor whether r of an IF or I acts per step. Both are
    read from what the file does say: its metadata; r = tau/dt or 1/dt where r is such; times of 1
    and more, which are steps; and else dt = 1e-4. r = 1 acts per step unless other nodes have
    times, or the threshold is far from one input. Where readings differ in their spikes and nothing
    decides, the file is refused. The `notes` of the network say what was taken.

    In a loop, some connection carries the output of the step before: a Delay of a step or more, or
    else the output of a neuron that leads to one no further from the input. Before the first step
    that output is 0.

    Args:
        graph: The graph, or the file that holds it.
        dt: Duration of a step in the file's unit of time, mostly s; None reads the file.
        convention: What r of IF and I means: "physical", v ← v + dt·r·i a step, or "per-step",
            v ← v + r·i; None reads the file.
        reset: "value" resets a membrane that fires to v_reset, as NIR says; "subtract", or None,
            subtracts the threshold, which NIR cannot say and some files are meant for.

    Returns:
        The network: `(time, batch, *features)` in and out.

    Raises:
        ValueError: The file is missing, damaged or not a NIR file; the graph is not sound, such as
            an undefined value or an edge to a node that is not there; its units are ambiguous; no
            layer here expresses a node, which is named; or an argument is out of its range.
        ModuleNotFoundError: The package `nir` is not installed.

    References:
        Pedersen et al., Nature Communications 2024, arXiv 2311.14641.
    """
    _check_nir()
    import nir  # noqa: PLC0415

    from engram.neuron.interchange.load import load_graph  # noqa: PLC0415
    from engram.neuron.interchange.read import read_graph  # noqa: PLC0415

    if dt is not None:
        _check_dt(dt)
    if convention is not None:
        _check_convention(convention)
    if reset not in ("value", "subtract", None):
        raise EngramError(f"reset={reset!r}: it is 'value', or 'subtract' for the soft reset")
    rule = "subtract" if reset is None else reset
    if isinstance(graph, str | Path):
        path = Path(graph)
        read, version = read_graph(path)
        try:
            return load_graph(read, dt, convention, rule, (f"written by nir {version}",))
        except ValueError as error:
            raise EngramError(f"{path}: {error}") from error
    if not isinstance(graph, nir.NIRGraph):
        raise EngramError(
            f"from_nir got a {type(graph).__name__}: give it a nir.NIRGraph, such as "
            "nir.NIRGraph.from_list(…) of single nodes, or the path of a .nir file"
        )
    return load_graph(graph, dt, convention, rule)


def _check_nir() -> None:
    try:
        import nir  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'exchanging networks needs the package nir: pip install "engram[nir]"', name="nir"
        ) from error


def _check_dt(dt: float) -> None:
    if not (math.isfinite(dt) and dt > 0):
        raise EngramError(f"dt={dt!r}: a step lasts a positive number of seconds, such as 1e-4")


def _check_convention(convention: str) -> None:
    if convention not in ("physical", "per-step"):
        raise EngramError(f"convention={convention!r}: it is 'physical' or 'per-step'")
