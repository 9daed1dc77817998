"""Encoders that turn texts into vectors."""

from engram.retrieval.encoder.minilm import MiniLM, pretrained_minilm

__all__ = ["MiniLM", "pretrained_minilm"]
