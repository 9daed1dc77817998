"""One simulation of the study, and what is measured in it."""

from typing import Any, NamedTuple

import numpy as np

from engram.critical.measure import (
    autocorrelation,
    degree_relation,
    fano_across_trials,
    irregularity,
    scaling,
    susceptibility,
)
from engram.critical.simulate import (
    Graph,
    constant,
    erdos_renyi,
    input_nodes,
    network,
    simulate,
    stimuli,
)
from engram.errors import EngramError
from engram.spikes import Spikes

INPUTS = 0.1
"""Share of the nodes that the drive reaches; they are left out of the measures."""
STEP_S = 1e-3
WINDOW, PERIOD = 50, 6
"""Steps of a window before and after the onset of a stimulus, and windows from one to the next."""
MEASURES = ("CV", "CV2", "Lv")


class Job(NamedTuple):
    """A simulation.

    Attributes:
        n: Number of nodes.
        degree: Mean in-degree.
        radius: λ.
        drive: η, the probability with which the drive excites an input node in a step.
        steps: Number of steps.
        seed: Seed of the graph, the weights, and the run.
    """

    n: int
    degree: float
    radius: float
    drive: float
    steps: int
    seed: int


def measure(job: Job) -> dict[str, float | None]:
    """Simulate, and measure the nodes that the drive does not reach.

    Args:
        job: The simulation.

    Returns:
        The rate per step; the means of CV, CV2 and Lv; the correlation r of in-degree and CV; the
        lag-one autocorrelation and the susceptibility of the population, None where spikes are
        too few; and the share of the nodes in the largest strongly connected component.
    """
    spikes, kept, graph = _run(job, constant(job.drive, job.steps))
    found: dict[str, float | None] = {
        "rate": spikes.n_spike / (spikes.n_unit * job.steps),
        "giant": graph.giant_share,
    }
    values = np.full(spikes.n_unit, np.nan)
    for name in MEASURES:
        try:
            one = irregularity(spikes, name)
        except EngramError:  # too few intervals, at a λ where next to nothing fires
            found[name] = None
            continue
        found[name] = one.mean.estimate
        values = one.values if name == "CV" else values
    try:
        found["r"] = degree_relation(graph.in_degree[kept], values).r.estimate
    except EngramError:
        found["r"] = None
    activity = spikes.population(STEP_S)
    found["AR(1)"] = float(autocorrelation(activity, 1)[1]) if spikes.n_spike else None
    found["susceptibility"] = susceptibility(activity, spikes.n_unit)
    return found


def onset(job: Job, stimulus: float) -> dict[str, float | None]:
    """The Fano factor across presentations before and after the onset of a stimulus.

    Args:
        job: The simulation; its drive is that without a stimulus.
        stimulus: The probability η during a stimulus.

    Returns:
        The mean over the nodes of each, "before" and "after".
    """
    repeats = job.steps // (WINDOW * PERIOD)
    protocol = stimuli(job.drive, stimulus, 2 * WINDOW, WINDOW, (PERIOD - 3) * WINDOW, repeats)
    spikes, *_ = _run(job, protocol.drive)
    counts = spikes.to_trace(WINDOW * STEP_S).activity[:, 0]
    windows = counts.reshape(repeats, PERIOD, spikes.n_unit)
    found = fano_across_trials(windows)
    return {
        name: float(np.nanmean(found[at])) if np.isfinite(found[at]).any() else None
        for name, at in (("before", 1), ("after", 2))
    }


def avalanche_laws(job: Job, draws: int) -> dict[str, Any]:
    """The exponents of the avalanches with bins of one step.

    Args:
        job: The simulation; its drive should be slow.
        draws: Number of samples of the bootstraps.
    """
    spikes, *_ = _run(job, constant(job.drive, job.steps))
    one = scaling(spikes, np.random.default_rng(job.seed), STEP_S, draws=draws)
    if one.sizes is None or one.durations is None or one.crackling is None:
        return {"number": len(one.found.size), "reasons": one.reasons}
    return {
        "number": len(one.found.size),
        "sizes": one.sizes.alpha[:3],
        "range": [one.sizes.law.xmin, one.sizes.law.xmax],
        "durations": one.durations.alpha[:3],
        "deviation": one.crackling.deviation[:3],
        "reasons": one.reasons,
    }


def _run(job: Job, drive: np.ndarray) -> tuple[Spikes, np.ndarray, Graph]:
    """The spikes of the nodes without drive, their numbers, and the graph."""
    graph = erdos_renyi(job.n, job.degree, job.seed)
    net = network(graph, job.radius, job.seed)
    inputs = input_nodes(job.n, INPUTS, job.seed)
    spikes = simulate(net, drive, inputs, job.seed, dt_s=STEP_S)
    kept = np.setdiff1d(np.arange(job.n), inputs)
    return spikes.select(kept), kept, graph
