"""Export: the rows of an answer as CSV or JSON, and what is drawn from them as PNG."""

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engram.policy.engine import Context, Passage
from engram.policy.measure.coverage import Coverage, Part
from engram.policy.measure.frequency import PERIODS, Frequency, Row
from engram.report import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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


def draw(answer: Frequency | Coverage, ax: "Axes | None" = None) -> "Axes":
    """Draw the rows of an answer: lines over periods, points with whiskers over names.

    A line is interrupted where a period has no documents.

    Args:
        answer: What was measured.
        ax: Where to draw; the axes of a new figure when None.

    Returns:
        The axes, labelled.

    Raises:
        ValueError: If there are no rows.
    """
    from engram.report import plot  # noqa: PLC0415  matplotlib is slow to import

    drawn = answer.series()
    if not any(len(series) for series in drawn):
        raise ValueError("there is nothing to draw: no document passes the filters")
    return plot.draw(figure_of(answer), drawn, ax)


def figure_of(answer: Frequency | Coverage) -> Figure:
    """The figure of a report that draws an answer, over its `series`.

    Args:
        answer: What was measured.
    """
    names = [series.name for series in answer.series()]
    if isinstance(answer, Coverage):
        return Figure(f"Composition by {answer.by}", names)
    kind = "line" if answer.by in PERIODS else "interval"
    return Figure(f"Frequency by {answer.by or 'query'}", names, kind)


def write(answer: Answer, path: str | Path) -> Path:
    """Write an answer: CSV and JSON hold the rows, PNG draws them.

    Args:
        answer: What was measured.
        path: A file that ends in one of `SUFFIXES`.

    Returns:
        The path.

    Raises:
        ValueError: If it ends otherwise, or there is nothing to draw.
    """
    path = Path(path)
    match path.suffix.lower():
        case ".csv":
            _write_csv(answer, path)
        case ".json":
            text = json.dumps(to_dict(answer), indent=1, ensure_ascii=False, allow_nan=False)
            path.write_text(text + "\n", encoding="utf-8")
        case ".png" if not isinstance(answer, Context):
            _write_png(answer, path)
        case _:
            names = ", ".join(SUFFIXES[: 2 if isinstance(answer, Context) else 3])
            raise ValueError(f"{path} cannot be written; let its name end in one of {names}")
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
        writer.writerows(records(answer))


def _write_png(answer: Frequency | Coverage, path: Path) -> None:
    from matplotlib import style  # noqa: PLC0415  slow to import
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415
    from matplotlib.rcsetup import cycler  # noqa: PLC0415

    colours = ["tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown"]
    marks = cycler(marker=["o", "s", "^", "D", "v", "P"], color=colours)
    with style.context(["default", {"axes.prop_cycle": marks, "lines.markersize": 4}]):
        rows = max((len(series) for series in answer.series()), default=0)
        upright = figure_of(answer).kind == "interval"
        canvas = Canvas(figsize=(8, max(3.0, 1 + 0.3 * rows) if upright else 4.5), dpi=150,
                        layout="constrained")  # fmt: skip
        draw(answer, canvas.subplots())
        canvas.savefig(path, metadata={"Software": None})
