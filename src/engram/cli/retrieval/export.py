"""`engram retrieval export`."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from engram.cli.output import print_line
from engram.errors import EngramError
from engram.retrieval.library import Library
from engram.studies.picture_search import STORE


@dataclass(frozen=True)
class ExportVectors:
    """Write the vectors of an index to a NumPy file, and their pictures to a JSON file beside it.

    Args:
        file: The file, such as vectors.npy; the pictures are written to vectors.json.
        store: Folder of the index made by `engram retrieval index`.
    """

    file: Positional[Path]
    store: Path = STORE

    def __call__(self) -> int:
        """Write both files, and print their paths."""
        if self.file.suffix != ".npy":
            raise EngramError(f"{self.file} does not end with .npy; give such as vectors.npy")
        library = Library(self.store)
        blocks = list(library.blocks())
        np.save(self.file, np.concatenate(blocks) if blocks else np.empty((0, 0), np.float32))
        pictures = [
            {"key": entry.key, "paths": entry.paths} | entry.facts._asdict()
            for entry in library.entries
        ]
        content = {"model": library.catalogue.model, "pictures": pictures}
        beside = self.file.with_suffix(".json")
        beside.write_text(json.dumps(content, indent=1), encoding="utf-8")
        print_line(self.file)
        print_line(beside)
        return 0
