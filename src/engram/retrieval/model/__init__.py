"""The style transformer with common knowledge optimization, its parts and its losses."""

from engram.retrieval.model.knowledge import CommonKnowledge, LowRankGate
from engram.retrieval.model.loss import (
    balance,
    contrastive,
    disagreement,
    hardest_hinge,
    redundancy,
)
from engram.retrieval.model.pooling import GeneralisedPooling
from engram.retrieval.model.style import LightBlock, StyleExtractor
from engram.retrieval.model.transformer import Embedded, StyleTransformer, Tower

__all__ = [
    "CommonKnowledge",
    "Embedded",
    "GeneralisedPooling",
    "LightBlock",
    "LowRankGate",
    "StyleExtractor",
    "StyleTransformer",
    "Tower",
    "balance",
    "contrastive",
    "disagreement",
    "hardest_hinge",
    "redundancy",
]
