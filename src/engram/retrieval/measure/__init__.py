"""How good a ranking is: recall at K, median rank, folds and intervals."""

from engram.retrieval.measure.matrix import cosines, read_matrix
from engram.retrieval.measure.quality import Direction, Quality, evaluate, evaluate_folds
from engram.retrieval.measure.ranks import Ranks, owners, ranks

__all__ = [
    "Direction",
    "Quality",
    "Ranks",
    "cosines",
    "evaluate",
    "evaluate_folds",
    "owners",
    "ranks",
    "read_matrix",
]
