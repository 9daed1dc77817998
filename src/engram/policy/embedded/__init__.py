"""The embedded engine: segments of the record, each one SQLite file, and the answers from them."""

from engram.policy.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
