"""Ramps: the conductance of a cell after each of a train of equal pulses, read from tables."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from engram.errors import EngramError

Quantity = Literal["conductance", "current"]
UNITS: dict[str, float] = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
LARGEST_S = 1.0
"""Conductances above it are refused: of a memristor they mean a wrong unit."""


class Ramp(NamedTuple):
    """A train of equal pulses.

    Attributes:
        name: File and column, or file and number.
        conductance_s: Before the first and after each pulse, (pulses + 1,), in siemens.
    """

    name: str
    conductance_s: np.ndarray

    @property
    def rising(self) -> bool:
        """Whether the pulses raise the conductance: a set ramp; else a reset ramp."""
        return bool(self.conductance_s[-1] > self.conductance_s[0])


class Reading(NamedTuple):
    """How the numbers of a table are read.

    Attributes:
        quantity: What the numbers are.
        prefix: Prefix of the unit, A or S: "" for none, m, u or n.
        read_voltage_v: The voltage at which currents were read, in volts.
        value: Name of the column of values, if the table is long: a row for each pulse.
        pulse: Name of the column of pulse numbers of a long table.
        ramp: Name of the column of ramp numbers of a long table; None starts a ramp wherever the
            pulse number does not rise.
    """

    quantity: Quantity = "conductance"
    prefix: str = ""
    read_voltage_v: float | None = None
    value: str | None = None
    pulse: str = "pulse"
    ramp: str | None = None

    @property
    def scale(self) -> float:
        """Siemens for a 1 in the table.

        Raises:
            EngramError: If the prefix is unknown, or the voltage is missing or not positive.
        """
        if self.prefix not in UNITS:
            raise EngramError(f"prefix={self.prefix!r}: give one of {', '.join(map(repr, UNITS))}")
        if self.quantity == "conductance":
            return UNITS[self.prefix]
        if self.read_voltage_v is None or not 0 < self.read_voltage_v < float("inf"):
            raise EngramError(
                f"read_voltage_v={self.read_voltage_v}: give the voltage at which the currents "
                "were read, in volts"
            )
        return UNITS[self.prefix] / self.read_voltage_v


def read_ramps(paths: Iterable[Path], reading: Reading) -> list[Ramp]:
    """Read ramps from tables with a header, separated by commas, semicolons or tabs.

    A wide table has a ramp in each column; shorter ramps end in empty cells. A long table has a
    row for each pulse.

    Args:
        paths: The files.
        reading: How their numbers are read.

    Raises:
        EngramError: If a table cannot be read, or its conductances are impossible.
    """
    scale = reading.scale
    found: list[Ramp] = []
    for path in paths:
        header, rows = _table(path)
        wide = reading.value is None
        columns = _columns(path, header, rows) if wide else _trains(path, header, rows, reading)
        found += [_ramp(name, np.asarray(values) * scale) for name, values in columns]
    return found


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EngramError(f"{path} could not be read: {error}") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise EngramError(f"{path} is empty; give a table with a header and at least one row")
    mark = max(",;\t", key=lines[0].count)
    header, *rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark)]
    return header, rows


def _number(path: Path, line: int, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise EngramError(f"{path}, row {line}, column {column}: {cell!r} is not a finite number")
    return value


def _columns(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> list[tuple[str, list[float]]]:
    """The columns of a wide table, each up to its last cell that is not empty."""
    columns: list[tuple[str, list[float]]] = []
    for j, name in enumerate(header):
        cells = [row[j] if j < len(row) else "" for row in rows]
        while cells and not cells[-1]:
            cells.pop()
        values = [_number(path, i + 2, name, cell) for i, cell in enumerate(cells)]
        columns.append((f"{path.name}:{name or j + 1}", values))
    return columns


def _trains(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], reading: Reading
) -> list[tuple[str, list[float]]]:
    """The ramps of a long table, in the order of the file."""
    asked = [reading.value, reading.pulse, reading.ramp]
    missing = [name for name in asked if name is not None and name not in header]
    if missing:
        raise EngramError(
            f"{path} has no column {missing[0]!r}; it has {', '.join(map(repr, header))}"
        )
    places = [None if name is None else header.index(name) for name in asked]
    trains: list[tuple[str, list[float]]] = []
    before: tuple[str, float] = ("", float("inf"))
    for i, row in enumerate(rows):
        value, pulse, ramp = (
            "" if place is None or place >= len(row) else row[place] for place in places
        )
        number = _number(path, i + 2, reading.pulse, pulse)
        if ramp != before[0] or number <= before[1]:
            trains.append((f"{path.name}:{ramp or len(trains) + 1}", []))
        before = ramp, number
        trains[-1][1].append(_number(path, i + 2, str(reading.value), value))
    return trains


def _ramp(name: str, conductance_s: np.ndarray) -> Ramp:
    if len(conductance_s) < 3:
        raise EngramError(f"{name} has {len(conductance_s)} values; a ramp needs at least 3")
    low, high = conductance_s.min(), conductance_s.max()
    if low < 0 or high > LARGEST_S:
        raise EngramError(
            f"{name} goes from {low:.4g} to {high:.4g} S; conductances are between 0 and "
            f"{LARGEST_S:g} S: check the unit and the read voltage"
        )
    if conductance_s[0] == conductance_s[-1]:
        raise EngramError(f"{name} ends where it starts, so its pulses have no direction")
    return Ramp(name, conductance_s)
