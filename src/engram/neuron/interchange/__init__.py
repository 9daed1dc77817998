"""Exchange of spiking networks through the Neuromorphic Intermediate Representation (NIR)."""

from engram.neuron.interchange.exchange import from_nir, to_nir
from engram.neuron.interchange.graph import SpikingGraph

__all__ = ["SpikingGraph", "from_nir", "to_nir"]
