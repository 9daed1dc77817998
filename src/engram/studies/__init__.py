"""The studies: one module per question, which alone combine several capabilities."""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from engram.study import Study


class StudyEntry(NamedTuple):
    """The module of a study, and its one-line description."""

    module: str
    attribute: str
    summary: str


STUDIES: dict[str, StudyEntry] = {
    "parallel-neurons": StudyEntry(
        "engram.studies.parallel_neurons",
        "ParallelNeurons",
        "Do parallel spiking neurons learn image rows better and faster than the LIF family?",
    ),
    "sequence": StudyEntry(
        "engram.studies.sequence",
        "SequenceMemory",
        "How far do spiking neurons remember along real sequences?",
    ),
    "spike-driven-residuals": StudyEntry(
        "engram.studies.spike_driven_residuals",
        "SpikeDrivenResiduals",
        "Do residuals that add membranes instead of spikes save energy, and at what accuracy?",
    ),
    "binary-stochastic-learning": StudyEntry(
        "engram.studies.binary_stochastic_learning",
        "BinaryStochasticLearning",
        "Does learning with stochastic bits, signed errors and whole pulses reach floating point?",
    ),
    "criticality": StudyEntry(
        "engram.studies.criticality",
        "Criticality",
        "Which signs of criticality peak where a network is critical?",
    ),
    "visual-pathways": StudyEntry(
        "engram.studies.visual_pathways",
        "VisualPathways",
        "Do spiking networks resemble visual cortex more than equal networks?",
    ),
    "tax-language": StudyEntry(
        "engram.studies.tax_language",
        "TaxLanguage",
        "Does talk of raising or lowering taxes go with the economy, or do both only drift?",
    ),
}


def load(name: str) -> "type[Study]":
    """Import and return the study's settings class, with its module's dependencies."""
    entry = STUDIES[name]
    return getattr(import_module(entry.module), entry.attribute)
