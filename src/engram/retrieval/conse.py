"""ConSE: pictures and words in one space without training, by the names of classes."""

from collections.abc import Callable
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError

NAMES = Path(__file__).parent / "imagenet_classes.txt"
"""A line for each class of ImageNet: its common name, a tab, and its names in WordNet."""

TEMPERATURE = 2.5
"""Divides the logits; chosen on the validation pictures of Flickr8k, as was the centring."""

Texts = Callable[[list[str]], NDArray[np.float32]]
"""Turns texts into unit vectors, (texts, dimensions)."""
Logits = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Turns features of pictures into logits of the classes, (pictures, classes)."""


def class_names() -> list[tuple[str, str]]:
    """The common name and the names in WordNet of each class of ImageNet, in their order."""
    lines = NAMES.read_text(encoding="utf-8").splitlines()
    return [(common, names) for common, _, names in (line.partition("\t") for line in lines)]


def convex_combination(
    logits: NDArray[np.floating], classes: NDArray[np.floating], temperature: float = 1.0
) -> NDArray[np.float64]:
    """Vectors of pictures: the mean of the vectors of the classes by their probabilities.

    f(x) = Σ_y p(y | x) s(y), with p = softmax(logits / temperature).

    Args:
        logits: Logits of each class, (pictures, classes).
        classes: Vector of each class, (classes, dimensions).
        temperature: More than 1 for probabilities that are closer to each other.

    Returns:
        Vectors, (pictures, dimensions).

    Raises:
        ValueError: If shapes differ, or the temperature is not above 0.

    References:
        Norouzi et al. (2014), Zero-shot learning by convex combination of semantic embeddings,
        ICLR, equation 2, with all classes instead of the T most probable ones.
    """
    shape = np.shape(logits)
    if len(shape) != 2 or shape[1] != len(classes):
        raise EngramError(f"logits of shape {shape} do not fit {len(classes)} classes")
    if not temperature > 0:
        raise EngramError(f"temperature is {temperature}; give a number above 0")
    scaled = np.asarray(logits, np.float64) / temperature
    likely = np.exp(scaled - scaled.max(1, keepdims=True))
    return likely / likely.sum(1, keepdims=True) @ classes


@final
class Conse:
    """The head that needs no captions: class probabilities weight the vectors of class names.

    The vector of a class is the mean over three texts with its names. The mean over the classes
    is subtracted from the vectors of pictures, which would otherwise all be alike.

    Args:
        texts: The encoder of texts.
        texts_identity: Which encoder that is.
        logits: The classifier of pictures.
    """

    name = "ConSE: the names of ImageNet's classes; nothing was trained on captions"

    def __init__(self, texts: Texts, texts_identity: str, logits: Logits) -> None:
        self._texts, self._logits = texts, logits
        self._classes: NDArray[np.float64] | None = None
        self.identity = f"conse 1, {texts_identity}"

    def texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors of texts, (texts, dimensions)."""
        return self._texts(texts)

    def pictures(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors of pictures, (pictures, dimensions).

        Args:
            features: Their features, (pictures, features).
        """
        if self._classes is None:
            self._classes = self._named()
        mixed = convex_combination(self._logits(features), self._classes, TEMPERATURE)
        mixed -= self._classes.mean(0)
        lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
        return (mixed / np.maximum(lengths, 1e-12)).astype(np.float32)

    def _named(self) -> NDArray[np.float64]:
        common, names = zip(*class_names(), strict=True)
        photos = [f"a photo of a {name}" for name in common]
        mean = np.mean([self._texts(list(one)) for one in (common, names, photos)], axis=0)
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float64)
