"""Export the rows of an answer as CSV or JSON; `drawing` plots them as PNG."""

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engram.errors import EngramError
from engram.policy.engine import Context, Passage
from engram.policy.measure.coverage import Coverage, Part
from engram.policy.measure.drawing import write_png
from engram.policy.measure.frequency import Frequency, Row

SUFFIXES = (".csv", ".json", ".png")
"""File suffixes that can be written."""

Answer = Frequency | Coverage | Context
"""What can be exported; a context cannot be plotted."""


def records(answer: Answer) -> list[dict[str, Any]]:
    """Return the rows of an answer as JSON-compatible dictionaries.

    Args:
        answer: What was measured.
    """
    match answer:
        case Frequency():
            return [row._asdict() for row in answer.rows]
        case Coverage():
            return [part._asdict() for part in answer.parts]
        case Context():
            return [
                asdict(passage) | {"date": passage.date.isoformat()} for passage in answer.passages
            ]


def to_dict(answer: Answer) -> dict[str, Any]:
    """Return an answer as a JSON-compatible dictionary: what was asked, then the rows.

    Args:
        answer: What was measured.
    """
    match answer:
        case Frequency():
            head = {
                "by": answer.by,
                "measure": answer.measure,
                "unit": answer.unit,
                "level": answer.level,
                "queries": dict(answer.queries),
                "notes": list(answer.notes),
            }
        case Coverage():
            head = {"by": answer.by, "gaps": answer.gaps, "notes": list(answer.notes)}
        case Context():
            head = {"total": answer.total}
    return head | {"rows": records(answer)}


def check_suffix(path: str | Path, drawn: bool = True) -> None:
    """Refuse a file whose suffix is not supported.

    Args:
        path: The file.
        drawn: Whether the answer can be plotted.

    Raises:
        ValueError: If its suffix is not one of `SUFFIXES`.
    """
    allowed = SUFFIXES if drawn else SUFFIXES[:2]
    if Path(path).suffix.lower() not in allowed:
        raise EngramError(f"{path} has an unsupported suffix; use one of {', '.join(allowed)}")


def write(answer: Answer, path: str | Path, corpus: str = "") -> Path:
    """Write an answer to a file: its rows as CSV or JSON, or a plot as PNG.

    In CSV each text is on one line; its line breaks are written as spaces.

    Args:
        answer: What was measured.
        path: A file with a suffix of `SUFFIXES`; an existing file is replaced.
        corpus: Name of the record that the counts come from, for the title of a plot.

    Returns:
        The path.

    Raises:
        ValueError: If the suffix is not supported, or there is nothing to plot.
    """
    path = Path(path)
    check_suffix(path, drawn=not isinstance(answer, Context))
    match path.suffix.lower():
        case ".csv":
            _write_csv(answer, path)
        case ".json":
            text = json.dumps(to_dict(answer), indent=1, ensure_ascii=False, allow_nan=False)
            path.write_text(text + "\n", encoding="utf-8")
        case _:
            assert not isinstance(answer, Context)
            write_png(answer, path, corpus)
    return path


def _write_csv(answer: Answer, path: Path) -> None:
    heads: dict[type, tuple[str, ...]] = {
        Frequency: Row._fields,
        Coverage: Part._fields,
        Context: Passage.__match_args__,
    }
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, heads[type(answer)])
        writer.writeheader()
        writer.writerows(
            {name: one_line(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
            for row in records(answer)
        )


def one_line(text: str) -> str:
    """Text with its line breaks and runs of spaces as single spaces.

    Args:
        text: A piece of a document.
    """
    return " ".join(text.split())
