"""Relate rates of terms to indicators, and say what may and may not be concluded."""

from engram.policy.relate.conclusion import Conclusions, conclude
from engram.policy.relate.indicators import INDICATORS, SIX, read_indicators
from engram.policy.relate.own_table import OwnTable, read_csv, read_table
from engram.policy.relate.relation import Findings, Relation, check_settings, relate
from engram.policy.relate.report import report_findings

__all__ = [
    "INDICATORS",
    "SIX",
    "Conclusions",
    "Findings",
    "OwnTable",
    "Relation",
    "check_settings",
    "conclude",
    "read_csv",
    "read_indicators",
    "read_table",
    "relate",
    "report_findings",
]
