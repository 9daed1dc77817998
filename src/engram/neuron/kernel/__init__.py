"""The neurons as compiled operators, with the signatures of `functional`."""

from engram.neuron.kernel.lif import lif

__all__ = ["lif"]
