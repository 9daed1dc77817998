"""Soft-threshold pruning, and layers that are faster for weights of zero."""

from engram.prune.plan import Plan
from engram.prune.pruning import Progress, Pruning
from engram.prune.report import History, LayerReport, layer_series, survey
from engram.prune.runtime import LayerChoice, SparseSpikeConv, SparseSpikeLinear, sparse_layers
from engram.prune.threshold import Pruned, Thresholded, bake, pruned_weights

__all__ = [
    "History",
    "LayerChoice",
    "LayerReport",
    "Plan",
    "Progress",
    "Pruned",
    "Pruning",
    "SparseSpikeConv",
    "SparseSpikeLinear",
    "Thresholded",
    "bake",
    "layer_series",
    "pruned_weights",
    "sparse_layers",
    "survey",
]
