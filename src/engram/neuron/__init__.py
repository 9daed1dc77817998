"""Spiking neurons: the LIF family, step by step, and the parallel family, all steps at once."""

from engram.neuron.lif import IF, LIF, ParametricLIF
from engram.neuron.module import Neuron, detach_state, stream
from engram.neuron.psn import PSN, MaskedPSN, SlidingPSN
from engram.neuron.surrogate import ATan, Erf, FastSigmoid, Rectangle, Sigmoid, Surrogate, Triangle

__all__ = [
    "IF",
    "LIF",
    "PSN",
    "ATan",
    "Erf",
    "FastSigmoid",
    "MaskedPSN",
    "Neuron",
    "ParametricLIF",
    "Rectangle",
    "Sigmoid",
    "SlidingPSN",
    "Surrogate",
    "Triangle",
    "detach_state",
    "stream",
]
