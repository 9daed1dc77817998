"""Soft-threshold pruning, and layers that are faster for weights of zero."""

from engram.prune.plan import Plan
from engram.prune.pruning import Progress, Pruning
from engram.prune.runtime import LayerChoice, SparseSpikeConv, SparseSpikeLinear, sparse_layers
from engram.prune.threshold import Pruned, Thresholded, bake, pruned_weights

__all__ = [
    "LayerChoice",
    "Plan",
    "Progress",
    "Pruned",
    "Pruning",
    "SparseSpikeConv",
    "SparseSpikeLinear",
    "Thresholded",
    "bake",
    "pruned_weights",
    "sparse_layers",
]
