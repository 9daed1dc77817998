"""Do parallel spiking neurons learn image rows better and faster than the LIF family?"""

from engram.studies.parallel_neurons.study import ParallelNeurons

__all__ = ["ParallelNeurons"]
