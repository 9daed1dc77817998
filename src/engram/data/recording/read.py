"""Reading a recording in a process of its own, which a damaged file cannot take with it."""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engram.data.recording.events import Options
from engram.errors import EngramError
from engram.spikes import Spikes

LIMIT_S = 120.0
"""Seconds that a file may take."""
LIMIT_BYTES = 8 << 30
"""Bytes of memory that the process may map."""


class Recording(NamedTuple):
    """Spikes that were read.

    Attributes:
        spikes: The spikes, in one trial.
        notes: What was taken for granted or left out.
    """

    spikes: Spikes
    notes: tuple[str, ...]


def read_recording(
    path: str | Path,
    options: Options | None = None,
    *,
    limit_s: float = LIMIT_S,
    limit_bytes: int = LIMIT_BYTES,
) -> Recording:
    """Read spikes from a file or folder.

    NWB and the HDF5 files of retinal waves and cultures (.nwb, .h5, .hdf5), tables (.csv, .tsv),
    rasters (.npy), and folders of Phy or Kilosort.

    Args:
        path: The file or folder.
        options: What it does not say itself.
        limit_s: Seconds after which reading is given up.
        limit_bytes: Bytes of memory that reading may take.

    Raises:
        EngramError: If it does not exist, is damaged, has another format, lacks what is needed, or
            takes too long or too much memory.
    """
    path = Path(path)
    if not path.exists():
        raise EngramError(f"{path} does not exist")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "events.npz"
        request = {"out": str(out), "options": asdict(options or Options())}
        in_child("engram.data.recording.child", path, request, limit_s, limit_bytes)
        return _recording(path, out)


def in_child(
    module: str, path: Path, request: dict[str, Any], limit_s: float, limit_bytes: int
) -> None:
    """Have a file read in a process of its own.

    Args:
        module: The module of that process.
        path: The file.
        request: What the process is told besides the path and the limits.
        limit_s: Seconds after which it is ended.
        limit_bytes: Bytes of memory that it may take.

    Raises:
        EngramError: With the message of the reader, or if it failed or took too long.
    """
    told = request | {"path": str(path), "limit_s": limit_s, "limit_bytes": limit_bytes}
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired:
        raise EngramError(
            f"{path} was not read within {limit_s:g} s: it is damaged, or too large"
        ) from None
    if done.returncode == 0:
        return
    said = done.stderr.strip()
    if done.returncode == REFUSED:
        raise EngramError(said if str(path) in said else f"{path}: {said}")
    how = f"signal {-done.returncode}" if done.returncode < 0 else said.rpartition("\n")[2]
    raise EngramError(f"{path} cannot be read: its reader ended with {how}; the file is damaged")


REFUSED = 3
"""Exit code of the reader for a file that it names the fault of."""


def _recording(path: Path, out: Path) -> Recording:
    with np.load(out, allow_pickle=False) as held:
        facts = json.loads(str(held["facts"]))
        units = facts["units"]
        if not held["times"].size:
            raise EngramError(f"{path} holds no spike")
        try:
            spikes = Spikes.from_events(
                held["unit"],
                held["times"],
                facts["duration_s"],
                n_unit=len(units),
                dt_s=facts["dt_s"],
                units=units,
                source=path.name,
            )
        except EngramError as error:
            raise EngramError(f"{path}: {error}") from error
    return Recording(spikes, tuple(facts["notes"]))
