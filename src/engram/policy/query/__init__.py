"""The query language: its tree, its parser, and its semantics."""

from engram.policy.query.query import AnyQuery, Query, QueryError
from engram.policy.query.syntax import parse, read
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
    "AnyQuery",
    "Between",
    "Exact",
    "Near",
    "Node",
    "Not",
    "OneOf",
    "Or",
    "Phrase",
    "Prefix",
    "Query",
    "QueryError",
    "Term",
    "parse",
    "read",
    "universe",
]
