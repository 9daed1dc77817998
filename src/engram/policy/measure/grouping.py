"""Groupings by time, and the text of their labels."""

PERIODS = ("year", "month", "congress", "decade")
"""Groupings by time, in which a period without documents is a gap."""

ALONG = (*PERIODS, "president")
"""Groupings whose groups are consecutive in time."""


def group_text(group: int | str, by: str | None) -> str:
    """The label of a group: decade 1980 is "1980s".

    Args:
        group: The group.
        by: The grouping.
    """
    return f"{group}s" if by == "decade" and isinstance(group, int) else str(group)
