"""A parsed query, and the error of one that does not parse."""

from dataclasses import dataclass
from typing import TypeAlias

from engram.errors import EngramError
from engram.policy.query.tree import Node


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query, accepted wherever the text of a query is.

    Args:
        text: The query as it was written; empty if it was given as a tree.
        tree: Its tree.
        notes: How parts of it were read that may have been meant differently.
    """

    text: str
    tree: Node
    notes: tuple[str, ...] = ()


AnyQuery: TypeAlias = str | Node | Query
"""A query as text, as a tree, or parsed."""


class QueryError(EngramError):
    """A query that does not parse.

    Args:
        position: Position in the query, counted from 0.
        problem: What is wrong at that position, and what to write instead.
    """

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"in the query, at character {position + 1}: {problem}")
        self.position = position
