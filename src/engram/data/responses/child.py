"""The process that reads responses, `python -m engram.data.responses.child`."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from engram.data.recording.child import HDF5, serve
from engram.data.responses.arrays import Arrays, interpreted
from engram.data.responses.hdf5 import read_hdf5
from engram.data.responses.model import Rdms, ResponseOptions, Responses
from engram.errors import EngramError

SUFFIXES = (".npz", ".npy", ".h5", ".hdf5", ".he5", ".mat", ".nwb", ".nc", ".nc4", ".cdf")


def read(path: Path, options: ResponseOptions) -> Responses | Rdms:
    """Read a file by its format.

    Args:
        path: The file.
        options: What it does not say itself.

    Raises:
        EngramError: Its format is not known, or as its reader does.
    """
    if path.suffix not in SUFFIXES:
        raise EngramError(f"{path} has a format that is not known: give {', '.join(SUFFIXES)}")
    if path.suffix in (".npz", ".npy"):
        return interpreted(_numpy(path), options)
    with path.open("rb") as file:
        head = file.read(520)
    if not head.startswith(HDF5) and not head[512:].startswith(HDF5):
        older = head.startswith((b"MATLAB 5.0", b"CDF"))
        how = "save it with -v7.3 (MATLAB) or as netCDF-4" if older else "its name says otherwise"
        raise EngramError(f"{path} is not an HDF5 file: {how}")
    return read_hdf5(path, options)


def _numpy(path: Path) -> Arrays:
    """The arrays of a file of NumPy; those of Python objects are left out."""
    try:
        if path.suffix == ".npy":
            return Arrays({"values": np.load(path, allow_pickle=False)})
        with np.load(path, allow_pickle=False) as file:
            held, notes = {}, []
            for name in file.files:
                try:
                    held[name] = file[name]
                except ValueError:
                    notes.append(f"{name} holds Python objects and was not read")
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise EngramError(f"{path} cannot be read as NumPy's format: {error}") from error
    return Arrays(
        {name: _texts(array) for name, array in held.items() if array.ndim}, {}, tuple(notes)
    )


def _texts(array: np.ndarray) -> np.ndarray:
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array


def save(found: Responses | Rdms, out: str) -> None:
    """Write what was read for the process that asked.

    Args:
        found: Responses or RDMs.
        out: The file.
    """
    if isinstance(found, Responses):
        facts = {
            name: list(getattr(found, name))
            for name in ("stimuli", "neuroids", "areas", "subjects", "time_s", "notes")
        }
        np.savez(out, values=found.values, facts=json.dumps({"kind": "responses"} | facts))
        return
    names = list(found.rdms)
    facts = {
        "kind": "rdms",
        "areas": names,
        "stimuli": list(found.stimuli),
        "subjects": {name: list(found.subjects[name]) for name in names},
        "notes": list(found.notes),
    }
    arrays = {f"rdm{place}": found.rdms[name] for place, name in enumerate(names)}
    np.savez(out, facts=json.dumps(facts), **arrays)  # pyright: ignore[reportArgumentType]


def main() -> int:
    """Read the request from the standard input, and write the responses where it says."""

    def work(request: dict[str, Any]) -> None:
        options: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in request["options"].items()
        }
        save(read(Path(request["path"]), ResponseOptions(**options)), request["out"])

    return serve(work)


if __name__ == "__main__":
    sys.exit(main())
