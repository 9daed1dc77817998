"""Does learning with bits, signs and pulses reach what floating point reaches?"""

from engram.studies.binary_stochastic_learning.study import BinaryStochasticLearning

__all__ = ["BinaryStochasticLearning"]
