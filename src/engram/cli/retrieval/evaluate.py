"""`engram retrieval evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from engram.cli.output import print_json, print_line
from engram.errors import EngramError
from engram.retrieval.measure import (
    Direction,
    Quality,
    cosines,
    evaluate,
    evaluate_folds,
    owners,
    read_matrix,
)


@dataclass(frozen=True)
class EvaluateRetrieval:
    """Evaluate scores or embeddings of images and captions: recall at 1, 5 and 10.

    Args:
        files: One npy file of scores, (images, captions), or two of embeddings, images first,
            which are compared by their cosine.
        owner: An npy file with the number of the image of each caption, from 0; default: every
            image has equally many captions, in the order of the images.
        folds: Number of consecutive folds of the images, such as 5 for MSCOCO 1K; the recalls are
            their means, without an interval.
        replicates: Number of resamples of the bootstrap over images.
        seed: Seed of the bootstrap.
        json: Print JSON.
    """

    files: Positional[tuple[Path, ...]]
    owner: Path | None = None
    folds: int = 1
    replicates: int = 2000
    seed: int = 0
    json: bool = False

    def __call__(self) -> int:
        """Evaluate and print the table."""
        scores = self._scores()
        owner = owners(*scores.shape) if self.owner is None else _read_owner(self.owner)
        rng = np.random.default_rng(self.seed)
        if self.folds == 1:
            content = _whole(evaluate(scores, owner, rng, self.replicates))
        else:
            content = _means(evaluate_folds(scores, owner, self.folds, rng, self.replicates))
        content = {"images": len(scores), "captions": len(owner), "folds": self.folds} | content
        if self.json:
            print_json(content)
        else:
            _show(content)
        return 0

    def _scores(self) -> np.ndarray:
        if len(self.files) == 1:
            return read_matrix(self.files[0])
        if len(self.files) == 2:
            return cosines(*self.files)
        raise EngramError(
            f"{len(self.files)} files; give one of scores, or one of images and one of captions"
        )


def _read_owner(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise EngramError(f"{path} is not an npy file of numbers: {error}") from error


def _whole(quality: Quality) -> dict[str, Any]:
    def direction(found: Direction) -> dict[str, Any]:
        recalls = {
            f"r@{k}": cell._asdict() for k, cell in zip((1, 5, 10), found.recalls, strict=True)
        }
        return recalls | {"median_rank": found.median_rank, "queries": found.queries}

    return {
        "image_to_text": direction(quality.image_to_text),
        "text_to_image": direction(quality.text_to_image),
        "rsum": quality.rsum._asdict(),
    }


def _means(parts: list[Quality]) -> dict[str, Any]:
    def direction(found: list[Direction]) -> dict[str, Any]:
        recalls = {
            f"r@{k}": {"estimate": float(np.mean([one.recalls[i].estimate for one in found]))}
            for i, k in enumerate((1, 5, 10))
        }
        return recalls | {
            "median_rank": float(np.mean([one.median_rank for one in found])),
            "queries": sum(one.queries for one in found),
        }

    return {
        "image_to_text": direction([part.image_to_text for part in parts]),
        "text_to_image": direction([part.text_to_image for part in parts]),
        "rsum": {"estimate": float(np.mean([part.rsum.estimate for part in parts]))},
    }


def _cell(value: dict[str, float]) -> str:
    text = f"{value['estimate']:.1f}"
    return f"{text} [{value['low']:.1f}, {value['high']:.1f}]" if "low" in value else text


def _show(content: dict[str, Any]) -> None:
    table = Table("", "R@1 %", "R@5 %", "R@10 %", "median rank", "queries")
    for name, words in (("image_to_text", "image to text"), ("text_to_image", "text to image")):
        row = content[name]
        cells = [_cell(row[f"r@{k}"]) for k in (1, 5, 10)]
        table.add_row(words, *cells, f"{row['median_rank']:.1f}", str(row["queries"]))
    Console().print(table)
    print_line(f"rSum {_cell(content['rsum'])}")
    about = f"{content['images']} images, {content['captions']} captions"
    if content["folds"] == 1:
        print_line(f"{about}; 95 % intervals from a bootstrap over images; ties in random order.")
    else:
        print_line(f"{about}; means of {content['folds']} consecutive folds; ties in random order.")
