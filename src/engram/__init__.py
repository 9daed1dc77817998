"""Engram: one toolkit for brain-inspired computing."""

__version__ = "0.1.0"
