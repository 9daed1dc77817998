"""Similarity of the features of networks with recorded neurons, and its ceilings."""

from engram.similarity.ceiling import Ceiling, normalise, split_half, subject_ceiling, subject_score
from engram.similarity.chance import Chance, permutation_test, permuted_rsa
from engram.similarity.linear import Ridge, leave_one_out_ridge, tsvd_reg, tsvd_reg_parity
from engram.similarity.profile import (
    Layer,
    LayerScore,
    Profile,
    best_of,
    profiles,
)
from engram.similarity.rdm import (
    METHODS,
    Partition,
    compare,
    correlation_rdm,
    crossnobis,
    partition_variance,
    rsa_parity,
)
from engram.similarity.reliability import trial_reliability
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
from engram.similarity.target import (
    Match,
    Target,
    match_stimuli,
    targets_of,
)

__all__ = [
    "METHODS",
    "Ceiling",
    "Chance",
    "Choice",
    "DepthTrend",
    "Draws",
    "Layer",
    "LayerScore",
    "Match",
    "Partition",
    "Profile",
    "Ridge",
    "Score",
    "Target",
    "best_of",
    "cka",
    "compare",
    "correlation_rdm",
    "crossed_score",
    "crossnobis",
    "depth_trend",
    "jackknifed",
    "leave_one_out_ridge",
    "match_stimuli",
    "nested_choice",
    "neuron_reliability",
    "normalise",
    "partition_variance",
    "permutation_test",
    "permuted_chance",
    "permuted_rsa",
    "procrustes",
    "profiles",
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
    "targets_of",
    "trial_reliability",
    "tsvd_reg",
    "tsvd_reg_parity",
]
