"""Pictures in folders, and models that need no training: the mean colour of each quarter."""

from pathlib import Path

import numpy as np
from PIL import Image

from engram.retrieval.library import Encoder

SIDE = 16


def colours(pixels: np.ndarray) -> np.ndarray:
    """Mean colour of the four quarters, less the mean grey, (pictures, 12)."""
    half = SIDE // 2
    quarters = [pixels[:, i : i + half, j : j + half] for i in (0, half) for j in (0, half)]
    means = [quarter.reshape(len(pixels), -1, 3).mean(1) for quarter in quarters]
    return (np.concatenate(means, axis=1) - 127.5).astype(np.float32) / 128


class ColourHead:
    """The vectors of pictures are their features; those of texts come from their letters."""

    name = "colours"

    def __init__(self, version: int = 1) -> None:
        self.identity = f"colours {version}"

    def texts(self, texts: list[str]) -> np.ndarray:
        rows = [np.random.default_rng(list(text.encode())).normal(size=12) for text in texts]
        return self.pictures(np.stack(rows).astype(np.float32))

    def pictures(self, features: np.ndarray) -> np.ndarray:
        lengths = np.linalg.norm(features, axis=1, keepdims=True)
        return (features / np.maximum(lengths, 1e-12)).astype(np.float32)


ENCODER = Encoder("mean colours", SIDE, colours)
HEAD = ColourHead()


def pixels_of(number: int) -> np.ndarray:
    """A picture of its own for each number."""
    quarter = np.random.default_rng(number).integers(0, 256, (2, 2, 3), dtype=np.uint8)
    return np.kron(quarter, np.ones((SIDE // 2, SIDE // 2, 1), np.uint8))


def paint(path: Path, number: int, **how) -> Path:
    """Save the picture of a number as PNG, so that its pixels are exact."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels_of(number)).save(path, "PNG", **how)
    return path


def vector_of(number: int) -> np.ndarray:
    """The vector that the picture of a number must have."""
    return HEAD.pictures(colours(pixels_of(number)[None]))[0]
