"""RDMs in files that other programs read: one npz, and a csv for each."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.distance import squareform

from engram.similarity import Target
from engram.similarity.profile import Prepared

MOST_CSV = 500
"""Stimuli up to which an RDM is also written as csv."""


class RdmFiles:
    """Writes `rdms.npz` and `rdms/NAME.csv` into a folder, one RDM after another.

    In the npz, `stimulus_id` names the stimuli of the layers; each layer and each area has an
    upper triangle, row by row, under `layer/NAME`, `CONTROL/NAME` and `area/NAME` `(subjects,
    pairs)`, and an area of fewer stimuli names them under `stimuli/NAME`. A csv is the square
    matrix with the ids as its first row and column.

    Args:
        folder: The folder.
        ids: Ids of the stimuli.
    """

    def __init__(self, folder: Path, ids: Sequence[str]) -> None:
        self.folder, self.ids = folder, list(ids)
        (folder / "rdms").mkdir(parents=True, exist_ok=True)
        self.file = zipfile.ZipFile(folder / "rdms.npz", "w", zipfile.ZIP_DEFLATED)
        self._write("stimulus_id", np.array(self.ids))

    def add_layer(self, one: Prepared) -> None:
        """Write the RDM of a layer; a silent one has none."""
        if one.rdm is not None:
            group = one.layer.control or "layer"
            self._write(f"{group}/{one.layer.name}", one.rdm.astype(np.float32))
            self._csv(f"{group}-{one.layer.name}", one.rdm, self.ids)

    def add_target(self, one: Target) -> None:
        """Write the RDMs of the subjects of an area."""
        ids = [self.ids[row] for row in one.rows]
        self._write(f"area/{one.name}", one.rdms.astype(np.float32))
        if ids != self.ids:
            self._write(f"stimuli/{one.name}", np.array(ids))
        for subject, rdm in zip(one.subjects, one.rdms, strict=True):
            self._csv(f"area-{one.name}-{subject}", rdm, ids)

    def close(self) -> None:
        """Finish the npz."""
        self.file.close()

    def _write(self, name: str, array: np.ndarray) -> None:
        with self.file.open(f"{name}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, array, allow_pickle=False)

    def _csv(self, name: str, rdm: np.ndarray, ids: Sequence[str]) -> None:
        if len(ids) > MOST_CSV:
            return
        path = self.folder / "rdms" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name).strip('-')}.csv"
        square = squareform(np.asarray(rdm, np.float64), checks=False)
        quoted = ['"' + one.replace('"', '""') + '"' for one in ids]
        lines = [",".join(["", *quoted])]
        for one, row in zip(quoted, square, strict=True):
            lines.append(",".join([one, *(f"{value:.7g}" for value in row)]))
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
