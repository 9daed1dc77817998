"""Networks of binary probabilistic nodes, and their spikes."""

from dataclasses import dataclass
from typing import Any, Literal, final, get_args

import numpy as np

from engram.critical.simulate.graph import Graph, uniform_weights
from engram.critical.simulate.kernel.draw import uniforms
from engram.critical.simulate.kernel.step import by_unit, clip_steps, product_steps
from engram.critical.simulate.spectrum import spectral_radius
from engram.errors import EngramError
from engram.spikes import Spikes

Rule = Literal["product", "clip"]
INPUTS, SIGNS = (1 << 59), (1 << 58)
"""Streams of the generator for the input nodes and the inhibitory ones."""
ROOM = 1 << 20
"""Spikes that are written before the memory grows."""


@final
@dataclass(frozen=True, eq=False)
class Network:
    """Nodes that fire in synchronous steps.

    Under the rule "product", node i fires with 1 − (1 − η_i) Π_j (1 − p_ij s_j); a negative p_ij
    vetoes node i with probability |p_ij| instead. Under "clip" it fires with
    Σ_j p_ij s_j + η_i, limited to 0 and 1.

    Args:
        graph: Who sends to whom.
        weights: The p of each link, (link); negative for inhibitory senders.
        rule: How the inputs of a node are combined.
        radius: λ, the largest real part of the eigenvalues of the weights.
    """

    graph: Graph
    weights: np.ndarray
    rule: Rule
    radius: float


def network(
    graph: Graph,
    radius: float,
    seed: int,
    rule: Rule = "product",
    inhibitory: float = 0,
    weights: np.ndarray | None = None,
) -> Network:
    """Scale weights so that λ, their spectral radius, has a given value.

    Args:
        graph: Who sends to whom.
        radius: λ, above 0.
        seed: Seed of the weights, and of which nodes inhibit.
        rule: How the inputs of a node are combined.
        inhibitory: Share of the nodes whose outgoing weights are negative.
        weights: The weights before scaling, (link); None draws them between 0 and 1.

    Raises:
        EngramError: If λ is not positive, the graph has no cycle, or λ needs a weight above 1.
    """
    if not (np.isfinite(radius) and radius > 0):
        raise EngramError(f"radius={radius}: λ must be above 0")
    if rule not in get_args(Rule):
        raise EngramError(f"there is no rule {rule!r}; choose product or clip")
    if not 0 <= inhibitory < 1:
        raise EngramError(f"inhibitory={inhibitory}: give a share from 0 to below 1")
    if not len(graph.targets):
        raise EngramError("the graph has no links; give at least one")
    weights = uniform_weights(graph, seed) if weights is None else np.array(weights, np.float32)
    if inhibitory:
        inhibits = uniforms(graph.n, np.uint64(seed), np.uint64(SIGNS)) < inhibitory
        weights[np.repeat(inhibits, np.diff(graph.pointers))] *= -1
    found = spectral_radius(graph, weights, seed)
    if found <= 1e-12:
        raise EngramError(
            f"the largest real part of the eigenvalues is {found:.3g}: the graph has no cycle, or "
            "inhibition prevails; no factor gives it a λ"
        )
    weights *= radius / found
    largest = float(np.abs(weights).max())
    if largest > 1:
        raise EngramError(
            f"radius={radius} needs a weight of {largest:.3g}, and a probability is at most 1; "
            f"this graph can have λ up to {radius / largest:.3g}: give a smaller one, or more links"
        )
    return Network(graph, weights, rule, radius)


def input_nodes(n: int, share: float, seed: int) -> np.ndarray:
    """Draw the nodes that the drive reaches.

    Args:
        n: Number of nodes.
        share: The share of them, above 0; at least one node is drawn.
        seed: Seed of the draw.

    Raises:
        EngramError: If the share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise EngramError(f"share={share}: give the share of the input nodes, above 0 up to 1")
    order = np.argsort(uniforms(n, np.uint64(seed), np.uint64(INPUTS)), kind="stable")
    return np.sort(order[: max(round(share * n), 1)])


def simulate(
    net: Network,
    drive: np.ndarray,
    inputs: np.ndarray,
    seed: int,
    refractory: int = 0,
    dt_s: float = 1e-3,
) -> Spikes:
    """Run a network from rest.

    The spikes depend on the arguments only, not on the machine or the number of workers.

    Args:
        net: The network.
        drive: The probability η with which the drive excites each input node, (time).
        inputs: The nodes that the drive reaches, (input).
        seed: Seed of the run, 0 to 2^64 − 1.
        refractory: Number of steps after a spike in which a node stays silent.
        dt_s: Duration of a step, in seconds.

    Returns:
        The spikes, in steps.

    Raises:
        EngramError: If a probability, a node or the number of steps is out of range.
    """
    drive, inputs = np.asarray(drive, np.float64), np.asarray(inputs, np.int32)
    _check(net, drive, inputs, refractory)
    graph = net.graph
    last = np.full(graph.n, -1 - refractory, np.int32)
    active = np.empty(0, np.int32)
    times, units = np.empty((2, max(ROOM, 4 * graph.n)), np.int32)
    key: Any = np.uint64(seed)
    eta = np.zeros(graph.n)
    eta[inputs] = 1
    parts, step = [], 0
    while step < len(drive):
        if net.rule == "product":
            largest = float(np.abs(net.weights).max())
            step, count, active = product_steps(
                graph.pointers, graph.targets, net.weights, largest, inputs, drive, refractory,
                key, step, active, last, times, units,
            )  # fmt: skip
        else:
            step, count, active = clip_steps(
                graph.pointers, graph.targets, net.weights, eta, drive, inputs, refractory,
                key, step, active, last, times, units,
            )  # fmt: skip
        parts.append((units[:count].copy(), times[:count].copy()))
    units, times = (np.concatenate(part) for part in zip(*parts, strict=True))
    pointers, times = by_unit(units, times, graph.n)
    return Spikes(pointers, times, len(drive) * dt_s, dt_s, source="simulation")


def _check(net: Network, drive: np.ndarray, inputs: np.ndarray, refractory: int) -> None:
    if drive.ndim != 1 or not len(drive):
        raise EngramError(f"drive has shape {drive.shape}; give one probability per step, (time)")
    if not ((drive >= 0) & (drive <= 1)).all():
        raise EngramError(f"drive goes from {drive.min()} to {drive.max()}; give probabilities")
    if not len(inputs) or len(set(inputs.tolist())) < len(inputs):
        raise EngramError(f"{len(inputs)} input nodes; name at least one, each only once")
    if inputs.min() < 0 or inputs.max() >= net.graph.n:
        raise EngramError(f"input nodes go up to {inputs.max()}; there are 0 to {net.graph.n - 1}")
    if refractory < 0:
        raise EngramError(f"refractory={refractory}: give a number of steps, 0 or more")
