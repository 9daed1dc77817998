"""To NIR and back: the functions that a user calls."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from engram.neuron.interchange.graph import SpikingGraph
from engram.neuron.interchange.trace import simplify, trace

if TYPE_CHECKING:
    import nir


def to_nir(net: nn.Module, sample_shape: Sequence[int], *, dt: float = 1e-4) -> "nir.NIRGraph":
    """The network as a NIR graph, for other simulators and neuromorphic chips.

    A step of the network becomes a step of forward Euler, v ← v + dt/τ·(v_leak − v + r·i), with
    τ = tau·dt, v_leak = reset, and r = 1, or tau where the input does not decay. A SlidingPSN
    becomes k Delay nodes of 0 … k − 1 steps, each with its weight as a Scale, into one Threshold.

    The network may be written for sequences or for single steps, as any `forward` that calls
    layers and adds their results; time is folded into batch by OverTime, or by `flatten(0, 1)` and
    back by `unflatten(0, …)`. Layers: Linear, Conv1d, Conv2d, AvgPool1d, AvgPool2d, Flatten,
    BatchNorm after one of the first three (folded into it), Dropout (dropped), Delay. Neurons: IF,
    LIF and ParametricLIF with a hard reset, SlidingPSN. NIR fires above the threshold, these
    neurons also at it.

    Args:
        net: The network, in eval mode if it has batch norm or dropout.
        sample_shape: Shape of one step of one sample, without time and batch: `(700,)` or
            `(2, 34, 34)`.
        dt: Duration of a step in s.

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
    return export_graph(simplify(trace(net)), tuple(sample_shape), dt)


def from_nir(graph: "nir.NIRGraph | str | Path", *, dt: float = 1e-4) -> SpikingGraph:
    """The network that a NIR graph describes, ready to run and to train.

    The inverse of `to_nir`, for graphs from anywhere: without loops, with one Input and one Output,
    of Linear, Affine, Conv1d, Conv2d, AvgPool2d, SumPool2d, Flatten, IF, LIF, Delay, Scale before a
    Threshold, Threshold, and graphs of these. Delays and Scales that lead into a Threshold become
    one SlidingPSN. A resistance r that is neither 1 nor tau divides threshold and reset instead,
    which leaves the spikes the same. NIR holds no surrogates: the neurons get the default one.

    Args:
        graph: The graph, or the file that holds it.
        dt: Duration of a step in s.

    Returns:
        The network: `(time, batch, *features)` in and out.

    Raises:
        ValueError: The neurons here cannot express a node, which is named: parameters that differ
            between its neurons, v_leak other than v_reset, τ not above dt, another type; or `dt` is
            not positive.
        ModuleNotFoundError: The package `nir` is not installed.

    References:
        Pedersen et al., Nature Communications 2024, arXiv 2311.14641.
    """
    _check_nir()
    import nir  # noqa: PLC0415

    from engram.neuron.interchange.load import load_graph  # noqa: PLC0415

    _check_dt(dt)
    return load_graph(nir.read(graph) if isinstance(graph, str | Path) else graph, dt)


def _check_nir() -> None:
    try:
        import nir  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'exchanging networks needs the package nir: pip install "engram[nir]"', name="nir"
        ) from error


def _check_dt(dt: float) -> None:
    if not (math.isfinite(dt) and dt > 0):
        raise ValueError(f"dt={dt!r}: a step lasts a positive number of seconds, such as 1e-4")
