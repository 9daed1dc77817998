"""A cell of a table that knows where it stands."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        text: Its text, without blanks at the ends.
        line: The line of the file that it stands on, from 1.
        column: The header of its column.
    """

    text: str
    line: int
    column: str

    def __str__(self) -> str:
        """Where the cell is and what it holds."""
        return f"line {self.line}, column {self.column!r} holds {self.text!r}"
