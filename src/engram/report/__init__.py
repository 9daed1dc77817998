"""Reports: what a study found, as data, as one HTML file and as text."""

from engram.report.item import Figure, Published, Scalar, Table
from engram.report.model import Report
from engram.report.provenance import Provenance

__all__ = ["Figure", "Provenance", "Published", "Report", "Scalar", "Table"]
