"""The query language: its tree, its parser, and its semantics."""

from engram.policy.query.syntax import QueryError, notes, parse
from engram.policy.query.tree import (
    And,
    Between,
    Exact,
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
    "Exact",
    "Near",
    "Node",
    "Not",
    "OneOf",
    "Or",
    "Phrase",
    "Prefix",
    "QueryError",
    "Term",
    "notes",
    "parse",
    "universe",
]
