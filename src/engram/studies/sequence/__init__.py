"""How far do spiking neurons remember along real sequences?"""

from engram.studies.sequence.study import SequenceMemory

__all__ = ["SequenceMemory"]
