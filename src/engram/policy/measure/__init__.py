"""Measure: frequencies with denominators and intervals, coverage, comparison, export."""

from engram.policy.measure.compare import Ratio, compare
from engram.policy.measure.coverage import Coverage, Part, coverage
from engram.policy.measure.drawing import draw, figure_of
from engram.policy.measure.export import check_suffix, one_line, records, to_dict, write
from engram.policy.measure.facets import facets, foremost
from engram.policy.measure.filters import filter_notes
from engram.policy.measure.first import first_appearance
from engram.policy.measure.frequency import Frequency, Row, frequency
from engram.policy.measure.grouping import PERIODS
from engram.policy.measure.interval import dispersion, quasi_poisson, rate_ratio, resampled
from engram.policy.measure.measurement import METHODS, UNITS, Measurement
from engram.policy.measure.survey import Comparison, Survey, comparison, survey
from engram.policy.measure.tables import (
    coverage_tables,
    frequency_table,
    interval_table,
    ratio_table,
)

__all__ = [
    "METHODS",
    "PERIODS",
    "UNITS",
    "Comparison",
    "Coverage",
    "Frequency",
    "Measurement",
    "Part",
    "Ratio",
    "Row",
    "Survey",
    "check_suffix",
    "compare",
    "comparison",
    "coverage",
    "coverage_tables",
    "dispersion",
    "draw",
    "facets",
    "figure_of",
    "filter_notes",
    "first_appearance",
    "foremost",
    "frequency",
    "frequency_table",
    "interval_table",
    "one_line",
    "quasi_poisson",
    "rate_ratio",
    "ratio_table",
    "records",
    "resampled",
    "survey",
    "to_dict",
    "write",
]
