"""Provenance: the settings, data, software and hardware behind a report, so it can be repeated."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from engram import __version__

PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "numba": "numba",
    "torch": "torch",
    "triton": "triton",
    "pandas": "pandas",
    "statsmodels": "statsmodels",
    "arch": "arch",
    "ruptures": "ruptures",
    "apsw": "apsw",
}
"""Modules whose versions are recorded if they are imported, and their packages."""


@dataclass
class Provenance:
    """The settings, data, software and hardware that the results of a report come from.

    Args:
        settings: The settings of the study.
        seed: Its seed.
        data: SHA-256 of each data file, by name.
        versions: Versions of Python and of the packages that were imported.
        hardware: Processor, cores, memory and accelerator.
        started: Start time, ISO 8601 in UTC.
        duration_s: Working time in seconds, over all sessions of a resumed run.
        status: "complete", or "partial" while work is missing.
        missing: The missing work of a partial report.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    data: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, str] = field(default_factory=dict)
    started: str = ""
    duration_s: float | None = None
    status: Literal["complete", "partial"] = "partial"
    missing: str = ""


def versions() -> dict[str, str]:
    """Return the versions of Engram, Python and the known packages that are imported."""
    found = {"engram": __version__, "python": platform.python_version()}
    for module, package in PACKAGES.items():
        if module in sys.modules:
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                found[package] = "unknown"
    return found


def hardware() -> dict[str, str]:
    """Return the names of processor, accelerator and system, the cores and the memory."""
    return {
        "processor": _processor(),
        "cores": _cores(),
        "memory": _memory(),
        "accelerator": _accelerator(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            label, _, model = line.partition(":")
            if label.strip() == "model name":
                return model.strip()
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or "unknown"


def _cores() -> str:
    if hasattr(os, "sched_getaffinity"):
        return str(len(os.sched_getaffinity(0)))
    return str(os.cpu_count())


def _memory() -> str:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return "unknown"
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"


def _accelerator() -> str:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    if torch is not None and torch.backends.mps.is_available():
        return "Apple GPU (MPS)"
    return "none" if torch is not None else "not used"
