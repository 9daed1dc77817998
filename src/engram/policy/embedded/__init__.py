"""The embedded engine: answers queries from segments of the record, each one SQLite file."""

from engram.policy.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
