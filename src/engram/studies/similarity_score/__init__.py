"""The similarity of a model with a recording, as `engram similarity score` measures it."""

from engram.studies.similarity_score.study import SimilarityScore

__all__ = ["SimilarityScore"]
