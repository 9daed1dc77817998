"""The query language: its tree, its parser, and what a query means."""

from engram.policy.query.syntax import QueryError, parse
from engram.policy.query.tree import (
    And,
    Between,
    Near,
    Node,
    Not,
    OneOf,
    Or,
    Phrase,
    Prefix,
    Term,
    universe,
)

__all__ = [
    "And",
    "Between",
    "Near",
    "Node",
    "Not",
    "OneOf",
    "Or",
    "Phrase",
    "Prefix",
    "QueryError",
    "Term",
    "parse",
    "universe",
]
