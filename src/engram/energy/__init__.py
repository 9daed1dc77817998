"""Energy: count the operations of a running network, estimate their energy, and judge it."""

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
from engram.energy.tracer import Tracer
from engram.energy.verdict import CUSTOMARY, Finding, Verdict, verify

__all__ = [
    "CUSTOMARY",
    "FP16",
    "FP32",
    "INT8",
    "Activation",
    "Arithmetic",
    "Count",
    "EqualInformation",
    "Finding",
    "Kind",
    "Memory",
    "Operand",
    "Operation",
    "Quantised",
    "Tracer",
    "Verdict",
    "compute_j",
    "count",
    "equal_information",
    "memory_j",
    "neurons_j",
    "operation_j",
    "paper_j",
    "verify",
]
