"""Simulation of networks of binary probabilistic nodes, event by event."""

from engram.critical.simulate.drive import Protocol, constant, poisson, smoothed, stimuli
from engram.critical.simulate.graph import (
    GRAPHS,
    Graph,
    erdos_renyi,
    fixed_degree,
    from_links,
    modular,
    scale_free,
    small_world,
)
from engram.critical.simulate.network import Network, input_nodes, network, simulate
from engram.critical.simulate.spectrum import spectral_radius
from engram.critical.simulate.sweep import fan_out

__all__ = [
    "GRAPHS",
    "Graph",
    "Network",
    "Protocol",
    "constant",
    "erdos_renyi",
    "fan_out",
    "fixed_degree",
    "from_links",
    "input_nodes",
    "modular",
    "network",
    "poisson",
    "scale_free",
    "simulate",
    "small_world",
    "smoothed",
    "spectral_radius",
    "stimuli",
]
