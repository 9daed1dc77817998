"""Energy: count the operations of a running network, and estimate their energy in joules."""

from engram.energy.count import Count, count
from engram.energy.joules import (
    FP16,
    FP32,
    INT8,
    Arithmetic,
    EqualInformation,
    Memory,
    Quantised,
    compute_j,
    equal_information,
    memory_j,
    neurons_j,
    operation_j,
    paper_j,
)
from engram.energy.operation import Activation, Kind, Operand, Operation
from engram.energy.trace import Tracer

__all__ = [
    "FP16",
    "FP32",
    "INT8",
    "Activation",
    "Arithmetic",
    "Count",
    "EqualInformation",
    "Kind",
    "Memory",
    "Operand",
    "Operation",
    "Quantised",
    "Tracer",
    "compute_j",
    "count",
    "equal_information",
    "memory_j",
    "neurons_j",
    "operation_j",
    "paper_j",
]
