"""The study criticality."""

from engram.studies.criticality.study import Criticality

__all__ = ["Criticality"]
