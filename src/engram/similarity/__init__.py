"""Similarity of the features of networks with recorded neurons, and its ceilings."""

from engram.similarity.ceiling import Ceiling, normalise, split_half, subject_ceiling, subject_score
from engram.similarity.chance import Chance, permutation_test
from engram.similarity.linear import Ridge, leave_one_out_ridge, tsvd_reg, tsvd_reg_parity
from engram.similarity.rdm import (
    METHODS,
    Partition,
    compare,
    correlation_rdm,
    crossnobis,
    partition_variance,
    rsa_parity,
)
from engram.similarity.resample import Draws, jackknifed, ridge_resampled, rsa_resampled
from engram.similarity.score import (
    Choice,
    DepthTrend,
    Score,
    crossed_score,
    depth_trend,
    nested_choice,
    neuron_reliability,
    permuted_chance,
    score,
    subject_reliability,
)
from engram.similarity.subspace import cka, procrustes, svcca, svcca_chance, svcca_parity

__all__ = [
    "METHODS",
    "Ceiling",
    "Chance",
    "Choice",
    "DepthTrend",
    "Draws",
    "Partition",
    "Ridge",
    "Score",
    "cka",
    "compare",
    "correlation_rdm",
    "crossed_score",
    "crossnobis",
    "depth_trend",
    "jackknifed",
    "leave_one_out_ridge",
    "nested_choice",
    "neuron_reliability",
    "normalise",
    "partition_variance",
    "permutation_test",
    "permuted_chance",
    "procrustes",
    "ridge_resampled",
    "rsa_parity",
    "rsa_resampled",
    "score",
    "split_half",
    "subject_ceiling",
    "subject_reliability",
    "subject_score",
    "svcca",
    "svcca_chance",
    "svcca_parity",
    "tsvd_reg",
    "tsvd_reg_parity",
]
