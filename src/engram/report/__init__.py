"""Reports: the results of a study as data, as one HTML file and as text."""

from engram.report.compare import compare
from engram.report.file import load_report, save_page, save_report
from engram.report.item import Figure, Picture, Published, Scalar, Table
from engram.report.model import Report, Section
from engram.report.provenance import Provenance
from engram.report.terminal import print_bars, print_report

__all__ = [
    "Figure",
    "Picture",
    "Provenance",
    "Published",
    "Report",
    "Scalar",
    "Section",
    "Table",
    "compare",
    "load_report",
    "print_bars",
    "print_report",
    "save_page",
    "save_report",
]
