"""Export: the rows of an answer as CSV or JSON; what draws them as PNG is `drawing`."""

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engram.policy.engine import Context, Passage
from engram.policy.measure.coverage import Coverage, Part
from engram.policy.measure.drawing import write_png
from engram.policy.measure.frequency import Frequency, Row

SUFFIXES = (".csv", ".json", ".png")
"""What can be written."""

Answer = Frequency | Coverage | Context
"""What can be exported; a context cannot be drawn."""


def records(answer: Answer) -> list[dict[str, Any]]:
    """The rows of an answer, each a dictionary that JSON can hold.

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
    """An answer as a dictionary that JSON can hold: what was asked, then the rows.

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
    """Refuse a file that cannot be written by the end of its name.

    Args:
        path: The file.
        drawn: Whether the answer can be drawn.

    Raises:
        ValueError: If its name ends in none of `SUFFIXES`.
    """
    allowed = SUFFIXES if drawn else SUFFIXES[:2]
    if Path(path).suffix.lower() not in allowed:
        raise ValueError(
            f"{path} cannot be written; let its name end in one of {', '.join(allowed)}"
        )


def write(answer: Answer, path: str | Path, corpus: str = "") -> Path:
    """Write an answer: CSV and JSON hold the rows, PNG draws them.

    In CSV a text is kept on one line: its line breaks are written as spaces.

    Args:
        answer: What was measured.
        path: A file that ends in one of `SUFFIXES`; it is replaced if it is there.
        corpus: Where the counts come from, for the title of a drawing.

    Returns:
        The path.

    Raises:
        ValueError: If it ends otherwise, or there is nothing to draw.
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
