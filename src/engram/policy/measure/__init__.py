"""Measure: frequencies with denominators and intervals, coverage, comparison, export."""

from engram.policy.measure.compare import Ratio, compare
from engram.policy.measure.coverage import Coverage, Part, coverage
from engram.policy.measure.export import draw, figure_of, records, to_dict, write
from engram.policy.measure.frequency import (
    METHODS,
    PERIODS,
    UNITS,
    Frequency,
    Row,
    facets,
    frequency,
)
from engram.policy.measure.interval import dispersion, quasi_poisson, rate_ratio, resampled
from engram.policy.measure.tables import (
    context_table,
    coverage_tables,
    frequency_table,
    one_line,
    ratio_table,
    report_coverage,
    report_frequency,
)

__all__ = [
    "METHODS",
    "PERIODS",
    "UNITS",
    "Coverage",
    "Frequency",
    "Part",
    "Ratio",
    "Row",
    "compare",
    "context_table",
    "coverage",
    "coverage_tables",
    "dispersion",
    "draw",
    "facets",
    "figure_of",
    "frequency",
    "frequency_table",
    "one_line",
    "quasi_poisson",
    "rate_ratio",
    "ratio_table",
    "records",
    "report_coverage",
    "report_frequency",
    "resampled",
    "to_dict",
    "write",
]
