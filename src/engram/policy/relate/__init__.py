"""Relate rates of terms to indicators, and say what may and may not be concluded."""

from engram.policy.relate.conclusion import Conclusions, conclude
from engram.policy.relate.indicators import INDICATORS, SIX, read_csv, read_indicators
from engram.policy.relate.relation import Findings, Relation, relate
from engram.policy.relate.report import report_findings

__all__ = [
    "INDICATORS",
    "SIX",
    "Conclusions",
    "Findings",
    "Relation",
    "conclude",
    "read_csv",
    "read_indicators",
    "relate",
    "report_findings",
]
