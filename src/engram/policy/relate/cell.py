"""A cell of a table with its position in the file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        text: Its text without leading and trailing blanks.
        line: Line of the file, counted from 1.
        column: The header of its column.
    """

    text: str
    line: int
    column: str

    def __str__(self) -> str:
        """Position and content of the cell, for messages."""
        return f"line {self.line}, column {self.column!r} holds {self.text!r}"
