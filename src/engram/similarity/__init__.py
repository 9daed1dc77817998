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
from engram.similarity.subspace import cka, procrustes, svcca, svcca_chance, svcca_parity

__all__ = [
    "METHODS",
    "Ceiling",
    "Chance",
    "Partition",
    "Ridge",
    "cka",
    "compare",
    "correlation_rdm",
    "crossnobis",
    "leave_one_out_ridge",
    "normalise",
    "partition_variance",
    "permutation_test",
    "procrustes",
    "rsa_parity",
    "split_half",
    "subject_ceiling",
    "subject_score",
    "svcca",
    "svcca_chance",
    "svcca_parity",
    "tsvd_reg",
    "tsvd_reg_parity",
]
