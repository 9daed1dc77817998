"""Recording a model: Traces of its layers' activity, and features of stimuli."""

from engram.record.features import Features, Tap, collect, first_spike, leaves, step_of, tap
from engram.record.trace import record

__all__ = [
    "Features",
    "Tap",
    "collect",
    "first_spike",
    "leaves",
    "record",
    "step_of",
    "tap",
]
