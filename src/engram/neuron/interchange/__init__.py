"""Exchange of spiking networks through the Neuromorphic Intermediate Representation (NIR)."""

from engram.neuron.interchange.exchange import from_nir, to_nir
from engram.neuron.interchange.graph import SpikingGraph
from engram.neuron.interchange.recurrent import RecurrentGraph, recurrent

__all__ = ["RecurrentGraph", "SpikingGraph", "from_nir", "recurrent", "to_nir"]
