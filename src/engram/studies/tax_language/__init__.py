"""Does talk of raising or lowering taxes go with the economy, or do both only drift?"""

from engram.studies.tax_language.study import TaxLanguage

__all__ = ["TaxLanguage"]
