"""What a NIR file measures time and resistance in: read from the file, or asked for, not guessed.

NIR writes a neuron as a differential equation and says neither how long a step lasts nor in which
unit. Packages differ. SpikingJelly and Engram write times in seconds and, for an integrate-and-fire
neuron, r = 1/dt, so that a step adds its input once. sinabs, snnTorch and Norse write r = 1 for the
same neuron, and sinabs writes times in steps.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import nir
import numpy as np

from engram.errors import EngramError
from engram.neuron.interchange.arrays import alike, array, values
from engram.neuron.interchange.graph import located

Convention = Literal["physical", "per-step"]
CONVENTIONS: tuple[Convention, ...] = ("physical", "per-step")
DEFAULT_DT = 1e-4
LONGEST_DT = 0.01
"""Above this a round 1/r is a resistance rather than the duration of a step."""
USUAL = 50.0
"""The most unit inputs, or the inverse of the least part of one, that usually reach a threshold."""
TIMES = ("tau", "tau_mem", "tau_syn", "delay")


class Units(NamedTuple):
    """What a step and a resistance mean.

    Attributes:
        dt: Duration of a step in the file's unit of time.
        gain: What an integrate-and-fire neuron multiplies r·i by at a step: dt, or 1.
        notes: What was decided and why, a sentence each.
    """

    dt: float
    gain: float
    notes: tuple[str, ...]


class Witness(NamedTuple):
    """A duration of a step that a node's resistance points to: r = tau/dt, or r = 1/dt."""

    name: str
    dt: float
    kinds: int


def units_of(
    nodes: Mapping[str, nir.NIRNode],
    metadata: Mapping[str, Any],
    dt: float | None,
    convention: Convention | None,
) -> Units:
    """The units that the caller gives, or else those that the file says.

    Args:
        nodes: The nodes of the graph.
        metadata: The metadata of the graph; Engram writes "dt" and "convention" there.
        dt: What the caller says; None reads the file.
        convention: What the caller says; None reads the file.

    Raises:
        ValueError: The file contradicts itself, or allows readings that differ in their spikes.
    """
    notes: list[str] = []
    written = metadata.get("dt")
    if convention is None and metadata.get("convention") in CONVENTIONS:
        convention = metadata["convention"]
        notes.append(f"convention={convention!r}, as the file's metadata says")
    known = dt is not None or written is not None
    if dt is None and written is not None:
        dt = float(written)
        notes.append(f"dt = {dt:g}, as the file's metadata says")
    elif dt is not None:
        notes.append(f"dt = {dt:g}, as given")
        if written is not None and not alike(dt, float(written)):
            notes.append(f"the file was written for dt = {float(written):g}")
    else:
        dt, why = _step(nodes)
        notes.append(f"dt = {dt:g}{why}")
    gain, why = _gain(nodes, dt, known, convention)
    return Units(dt, gain, (*notes, *why))


def _step(nodes: Mapping[str, nir.NIRNode]) -> tuple[float, str]:
    """The duration of a step that the file points to."""
    witnesses = _witnesses(nodes)
    found = {float(f"{w.dt:.3g}") for w in witnesses}
    if len(found) > 1:
        said = ", ".join(f"{w.name!r}: {w.dt:.3g}" for w in witnesses)
        raise EngramError(
            f"the resistances point to different durations of a step ({said}): say which holds, "
            "such as dt=1e-4"
        )
    if found:
        (dt,) = found
        names = ", ".join(dict.fromkeys(repr(w.name) for w in witnesses))
        in_steps = dt == 1 and min(v.min() for v in _times(nodes).values()) >= 1
        if alike(dt, DEFAULT_DT) or in_steps or sum(w.kinds for w in witnesses) > 1:
            return dt, f", for r is tau/dt or 1/dt at {names}"
        raise EngramError(
            f"r at {names} is either tau/dt for dt = {dt:g}, or a resistance at the usual dt = "
            f"{DEFAULT_DT:g}: say which, with dt={dt:g} or dt={DEFAULT_DT:g}"
        )
    times = _times(nodes)
    if not times:
        return DEFAULT_DT, ", the usual value; nothing in the file depends on it but r of IF and I"
    least = min((v.min(), n) for n, v in times.items())
    most = max((v.max(), n) for n, v in times.items())
    if least[0] >= 1:
        return 1.0, f": times are in steps, for the shortest is {least[0]:g} ({least[1]!r})"
    if most[0] >= 1 and np.isfinite(most[0]):
        raise EngramError(
            f"times from {least[0]:g} ({least[1]!r}) to {most[0]:g} ({most[1]!r}) may be seconds "
            "or steps: say how long a step lasts in their unit, such as dt=1e-4 for seconds or "
            "dt=1 for steps"
        )
    return DEFAULT_DT, " s, the usual value; the file does not say it: give dt if it differs"


def _times(nodes: Mapping[str, nir.NIRNode]) -> dict[str, np.ndarray]:
    """Time constants and delays by node, zeros left out."""
    found: dict[str, np.ndarray] = {}
    for name, node in nodes.items():
        with located(name, node):
            fields = [values(node, field, finite=False) for field in TIMES if hasattr(node, field)]
        times = np.concatenate([t[t > 0].ravel() for t in fields]) if fields else np.empty(0)
        if times.size:
            found[name] = times
    return found


def _witnesses(nodes: Mapping[str, nir.NIRNode]) -> list[Witness]:
    found: list[Witness] = []
    for name, node in nodes.items():
        match node:
            case nir.LIF() | nir.LI():
                pairs = [(node.tau, node.r)]
            case nir.CubaLIF() | nir.CubaLI():
                pairs = [(node.tau_mem, node.r), (node.tau_syn, node.w_in)]
            case nir.IF() | nir.I():
                pairs = [(np.ones_like(array(node.r), dtype=float), node.r)]
            case _:
                continue
        steps = [_ratio(array(tau), array(r)) for tau, r in pairs]
        for (tau, _), step in zip(pairs, steps, strict=True):
            alone = isinstance(node, nir.IF | nir.I)
            if step is not None and not (alone and step > LONGEST_DT):
                found.append(Witness(name, step, 2 if alone else np.unique(array(tau)).size))
    return found


def _ratio(tau: np.ndarray, r: np.ndarray) -> float | None:
    """tau/r, if it is the same round number for all neurons: a step, and no chance."""
    if r.dtype.kind not in "biuf" or not (r >= 1).all() or alike(r, 1.0):
        return None
    ratios = tau.astype(float) / r
    step = float(np.median(ratios))
    if not np.isfinite(step) or step <= 0 or not np.allclose(ratios, step, rtol=1e-5, atol=0):
        return None
    return step if np.isclose(step, float(f"{step:.2g}"), rtol=1e-5, atol=0) else None


def _gain(
    nodes: Mapping[str, nir.NIRNode], dt: float, known: bool, convention: Convention | None
) -> tuple[float, list[str]]:
    """What IF and I multiply r·i by at a step."""
    integrators = {n: node for n, node in nodes.items() if isinstance(node, nir.IF | nir.I)}
    if not integrators or dt == 1:
        return dt, []
    names = ", ".join(map(repr, integrators))
    if convention is not None:
        return (dt if convention == "physical" else 1.0), [
            f"r of {names}: v ← v + {'dt·' if convention == 'physical' else ''}r·i a step"
        ]
    timed = bool(_times(nodes))
    found: dict[str, Convention | None] = {}
    for name, node in integrators.items():
        with located(name, node):
            found[name] = _reading(node, dt, known, timed)
    sure = {name: reading for name, reading in found.items() if reading is not None}
    if len(set(sure.values())) == 1 and all(
        isinstance(node, nir.I) for name, node in integrators.items() if name not in sure
    ):
        (reading,) = set(sure.values())
        return (dt if reading == "physical" else 1.0), [
            f"r of {names}: v ← v + {'dt·' if reading == 'physical' else ''}r·i a step "
            f"(convention={reading!r}); {_because(integrators, dt)}"
        ]
    raise EngramError(
        f"r of {names} may act per step, v ← v + r·i, or per unit of time, v ← v + dt·r·i with "
        f"dt = {dt:g}, and the file does not settle which ({_because(integrators, dt)}"
        f"{'; other nodes have times' if timed else ''}): say convention='per-step', as sinabs, "
        "snnTorch and Norse write, or convention='physical', as SpikingJelly writes"
    )


def _because(integrators: Mapping[str, nir.IF | nir.I], dt: float) -> str:
    """What each node says of its resistance; nodes that say the same are named together."""
    said: dict[str, list[str]] = {}
    for name, node in integrators.items():
        inputs = _inputs(node)
        fact = f"r = {np.median(array(node.r)):g}"
        if inputs is not None:
            fact += (
                f" and a threshold of {inputs:.3g} unit inputs per step, {inputs / dt:.3g} with dt"
            )
        said.setdefault(fact, []).append(repr(name))
    return "; ".join(f"{', '.join(names)}: {fact}" for fact, names in said.items())


def _inputs(node: nir.IF | nir.I) -> float | None:
    """How many unit inputs reach the threshold if r acts per step."""
    if not isinstance(node, nir.IF):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.median(np.abs(values(node, "v_threshold") / values(node, "r"))))


def _reading(node: nir.IF | nir.I, dt: float, known: bool, timed: bool) -> Convention | None:
    """The convention that this node follows, None where it may be either."""
    r = values(node, "r")
    if alike(r * dt, 1.0):
        return "physical"
    inputs = _inputs(node)
    if inputs is None:
        return "physical" if known and not timed else None
    per_step = 1 / USUAL <= inputs <= USUAL
    physical = 1 / USUAL <= inputs / dt <= USUAL
    if alike(r, 1.0) and not timed and not physical and inputs >= 1 / USUAL:
        return "per-step"
    if physical and not per_step and (known or not alike(r, 1.0)):
        return "physical"
    return "physical" if known and not alike(r, 1.0) else None
