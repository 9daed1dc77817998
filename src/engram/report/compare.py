"""Two reports side by side: what differs in their settings, and their numbers in pairs."""

from collections.abc import Mapping
from itertools import chain
from typing import Any, TypeGuard

from engram.report.item import Cell, Table
from engram.report.model import Report
from engram.report.number import scalar_text

GAP = "–"


def compare(one: Report, other: Report, names: tuple[str, str]) -> Report:
    """Put two reports side by side.

    Args:
        one: A report.
        other: Another one, usually of the same study.
        names: How they are called, for the columns.

    Returns:
        A report of the answers; the settings, data and versions that differ; the scalars; and the
        numbers of tables that have the same title, columns and first cells.
    """
    found = Report("compare", f"{names[0]} and {names[1]}", "What differs between the two runs?")
    columns = ["", *names]
    answers = [[one.conclusion or GAP, other.conclusion or GAP]]
    if one.conclusion or other.conclusion:
        found.add(Table("Answers", list(names), answers))
    differing = _differing(one, other)
    if differing:
        found.add(Table("What the runs depend on, where it differs", columns, differing))
    else:
        found.note("Settings, data and versions are the same.")
    scalars = _scalars(one, other)
    if scalars:
        found.add(Table("Numbers", [*columns, "difference"], scalars))
    theirs = {table.title: table for table in other.tables}
    for table in one.tables:
        same = theirs.get(table.title)
        rows = _pairs(table, same) if same is not None and same.columns == table.columns else []
        if rows:
            found.add(Table(table.title, ["row", "column", *names, "difference"], rows))
    found.provenance.status = "complete"
    return found


def _differing(one: Report, other: Report) -> list[list[Cell]]:
    """Settings, data and versions with different values."""
    rows: list[list[Cell]] = []
    if one.name != other.name:
        rows.append(["study", one.name, other.name])
    for field in ("settings", "data", "versions", "hardware"):
        mine: Mapping[str, Any] = getattr(one.provenance, field)
        theirs: Mapping[str, Any] = getattr(other.provenance, field)
        for key in dict.fromkeys(chain(mine, theirs)):
            values = [str(held[key]) if key in held else GAP for held in (mine, theirs)]
            if values[0] != values[1]:
                rows.append([key if field == "settings" else f"{field}: {key}", *values])
    return rows


def _scalars(one: Report, other: Report) -> list[list[Cell]]:
    theirs = {scalar.name: scalar for scalar in other.scalars}
    rows: list[list[Cell]] = []
    for mine in one.scalars:
        pair = theirs.get(mine.name)
        if pair is None:
            continue
        texts = []
        for scalar in (mine, pair):
            value, between = scalar_text(scalar)
            texts.append(f"{value} ({between})" if between else value)
        difference = None
        if mine.value is not None and pair.value is not None:
            difference = pair.value - mine.value
        name = f"{mine.name} ({mine.unit})" if mine.unit else mine.name
        rows.append([name, *texts, difference])
    return rows


def _pairs(table: Table, other: Table) -> list[list[Cell]]:
    """The numbers of two tables whose rows begin alike, where they differ."""
    theirs = {row[0]: row for row in other.rows}
    rows: list[list[Cell]] = []
    for row in table.rows:
        for column, mine, pair in zip(
            table.columns[1:], row[1:], theirs.get(row[0], ())[1:], strict=False
        ):
            if _is_number(mine) and _is_number(pair) and mine != pair:
                rows.append([str(row[0]), column, mine, pair, pair - mine])
    return rows


def _is_number(cell: Cell) -> TypeGuard[float]:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
