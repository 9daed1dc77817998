"""Save and load reports: report.json, and the page report.html."""

import json
import os
from pathlib import Path

from engram.errors import EngramError
from engram.report.model import Report


def save_report(report: Report, folder: str | Path) -> Path:
    """Write report.json and report.html, each replaced atomically.

    Args:
        report: The report.
        folder: Folder to write to; created if it does not exist.

    Returns:
        The path of report.html.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stored = report.to_dict() | {"fingerprint": report.fingerprint}
    text = json.dumps(stored, indent=1, ensure_ascii=False, allow_nan=False)
    _replace(folder / "report.json", text + "\n")
    return save_page(report, folder)


def save_page(report: Report, folder: str | Path) -> Path:
    """Write report.html only.

    Args:
        report: The report.
        folder: Folder to write to.

    Returns:
        The path of report.html.
    """
    from engram.report.html import render  # noqa: PLC0415  matplotlib is slow to import

    return _replace(Path(folder) / "report.html", render(report))


def load_report(path: str | Path) -> Report:
    """Read a saved report.

    Args:
        path: The run's folder, or its report.json.

    Raises:
        ValueError: If there is no report, or it is invalid.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "report.json"
    if not path.is_file():
        raise EngramError(f"no report at {path}; give a run's folder or its report.json")
    try:
        return Report.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise EngramError(f"{path}: {error}") from error


def _replace(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft.replace(path)
