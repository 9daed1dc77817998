"""The process that reads a recording, `python -m engram.data.recording.child`."""

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engram.data.recording.events import Events, Options
from engram.data.recording.hdf5 import read_hdf5
from engram.data.recording.plain import read_phy, read_raster, read_table
from engram.data.recording.read import REFUSED
from engram.errors import EngramError

HDF5 = b"\x89HDF\r\n\x1a\n"


def read(path: Path, options: Options) -> Events:
    """Read a file by its format.

    Args:
        path: A file or folder.
        options: What it does not say itself.

    Raises:
        EngramError: If its format is not known, or as its reader does.
    """
    if path.is_dir():
        return read_phy(path, options)
    if path.suffix in (".nwb", ".h5", ".hdf5", ".he5"):
        with path.open("rb") as file:
            if not file.read(8).startswith(HDF5):
                raise EngramError(f"{path} is not an HDF5 file, whatever its name says")
        return read_hdf5(path, options)
    if path.suffix in (".csv", ".tsv"):
        return read_table(path, options)
    if path.suffix == ".npy":
        return read_raster(path, options)
    raise EngramError(
        f"{path} has a format that is not known: give .nwb, .h5, .csv, .tsv, .npy, or a folder of "
        "Phy or Kilosort"
    )


def limit(seconds: float, size: int) -> None:
    """Limit the processor time and the memory of this process, where the system can."""
    if os.name != "posix":
        return
    import resource  # noqa: PLC0415 - POSIX only

    for what, most in ((resource.RLIMIT_CPU, math.ceil(seconds)), (resource.RLIMIT_AS, size)):
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):  # macOS has no limit of memory
            continue


def serve(work: Callable[[dict[str, Any]], None]) -> int:
    """Read the request from the standard input, do the work within its limits.

    Args:
        work: Takes the request, and writes what it has read.

    Returns:
        The exit code.
    """
    request = json.load(sys.stdin)
    limit(request["limit_s"], request["limit_bytes"])
    try:
        work(request)
    except (EngramError, OSError, UnicodeDecodeError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return REFUSED
    except MemoryError:
        size = request["limit_bytes"]
        print(f"reading it takes more than {size} bytes of memory", file=sys.stderr)  # noqa: T201
        return REFUSED
    return 0


def main() -> int:
    """Read the request from the standard input, and write the spikes where it says."""

    def work(request: dict[str, Any]) -> None:
        options = request["options"]
        options["groups"] = tuple(options["groups"])
        events = read(Path(request["path"]), Options(**options))
        facts = {
            "duration_s": events.duration_s,
            "dt_s": events.dt_s,
            "units": events.units,
            "notes": events.notes,
        }
        np.savez(request["out"], unit=events.unit, times=events.times, facts=json.dumps(facts))

    return serve(work)


if __name__ == "__main__":
    sys.exit(main())
