"""Spiking neurons: the LIF family, step by step, and the parallel family, all steps at once."""

from engram.neuron.backend import backend, reference
from engram.neuron.cuba import CubaLIF
from engram.neuron.delay import Delay
from engram.neuron.dilated import DilatedPSN, sawtooth
from engram.neuron.fixed_point import FixedPointLIF
from engram.neuron.integrator import LI
from engram.neuron.interchange import RecurrentGraph, SpikingGraph, from_nir, recurrent, to_nir
from engram.neuron.lengths import (
    last_step,
    mask_steps,
    mean_over_time,
    pack_steps,
    unpack_steps,
    valid_steps,
)
from engram.neuron.lif import IF, LIF, ParametricLIF
from engram.neuron.module import Neuron, OverTime, Temporal, detach_state, stream
from engram.neuron.pmsn import PMSN
from engram.neuron.psn import PSN, MaskedPSN, SlidingPSN
from engram.neuron.resonate import PRF
from engram.neuron.surrogate import ATan, Erf, FastSigmoid, Rectangle, Sigmoid, Surrogate, Triangle
from engram.neuron.threshold import Threshold

__all__ = [
    "IF",
    "LI",
    "LIF",
    "PMSN",
    "PRF",
    "PSN",
    "ATan",
    "CubaLIF",
    "Delay",
    "DilatedPSN",
    "Erf",
    "FastSigmoid",
    "FixedPointLIF",
    "MaskedPSN",
    "Neuron",
    "OverTime",
    "ParametricLIF",
    "Rectangle",
    "RecurrentGraph",
    "Sigmoid",
    "SlidingPSN",
    "SpikingGraph",
    "Surrogate",
    "Temporal",
    "Threshold",
    "Triangle",
    "backend",
    "detach_state",
    "from_nir",
    "last_step",
    "mask_steps",
    "mean_over_time",
    "pack_steps",
    "recurrent",
    "reference",
    "sawtooth",
    "stream",
    "to_nir",
    "unpack_steps",
    "valid_steps",
]
