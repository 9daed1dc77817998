"""`engram retrieval duplicates`."""

from dataclasses import dataclass
from pathlib import Path

from engram.cli.output import print_json, print_line
from engram.retrieval.library import Library, near_duplicates
from engram.studies.picture_search import STORE


@dataclass(frozen=True)
class ListDuplicates:
    """List pictures that are the same or look nearly the same.

    Args:
        store: Folder of the index made by `engram retrieval index`.
        bits: Number of 64 signs of brightness differences that may differ.
        cosine: Least cosine of the vectors.
        json: Print JSON.
    """

    store: Path = STORE
    bits: int = 4
    cosine: float = 0.9
    json: bool = False

    def __call__(self) -> int:
        """Print the groups, files with the same content first."""
        library = Library(self.store)
        copies = sorted(entry.paths for entry in library.entries if len(entry.paths) > 1)
        near = [
            [library.entry(key).paths[0] for key in group]
            for group in near_duplicates(library, self.bits, self.cosine)
        ]
        if self.json:
            print_json({"same": copies, "near": near})
            return 0
        for name, groups in (("the same content", copies), ("nearly the same look", near)):
            print_line(f"{len(groups):,} groups of {name}")
            for group in groups:
                print_line("  " + "  ".join(group))
        return 0
