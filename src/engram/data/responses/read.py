"""Reading responses in a process of its own, which a damaged file cannot take with it."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from engram.data.recording.read import LIMIT_BYTES, LIMIT_S, in_child
from engram.data.responses.model import Rdms, ResponseOptions, Responses
from engram.errors import EngramError


def read_responses(
    path: str | Path,
    options: ResponseOptions | None = None,
    *,
    limit_s: float = LIMIT_S,
    limit_bytes: int = LIMIT_BYTES,
) -> Responses | Rdms:
    """Read responses of neurons to stimuli, or RDMs of subjects.

    NumPy (.npz, .npy), HDF5 (.h5), MATLAB 7.3 (.mat), NWB (.nwb) with presentations of stimuli,
    and netCDF-4 (.nc) as BrainIO's assemblies are.

    Args:
        path: The file.
        options: What it does not say itself.
        limit_s: Seconds after which reading is given up.
        limit_bytes: Bytes of memory that reading may take.

    Raises:
        EngramError: It does not exist, is damaged, has another format, or does not say which of
            its arrays are meant.
    """
    path = Path(path)
    if not path.is_file():
        raise EngramError(f"{path} is not a file; name a recording")
    with TemporaryDirectory() as folder:
        out = Path(folder) / "responses.npz"
        request = {"options": asdict(options or ResponseOptions()), "out": str(out)}
        in_child("engram.data.responses.child", path, request, limit_s, limit_bytes)
        with np.load(out, allow_pickle=False) as held:
            facts = json.loads(str(held["facts"]))
            kind, notes = facts.pop("kind"), tuple(facts.pop("notes"))
            if kind == "responses":
                return Responses(held["values"], **facts, notes=notes)
            rdms = {name: held[f"rdm{place}"] for place, name in enumerate(facts["areas"])}
            return Rdms(rdms, facts["stimuli"], facts["subjects"], notes)
