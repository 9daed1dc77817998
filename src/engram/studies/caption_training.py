"""Training of a head for picture search on captions, and its measurement on others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.progress import Progress, Step, silent
from engram.retrieval.captions import Captioned, read_captions
from engram.retrieval.linear import LinearHead, LinearTraining, train_linear
from engram.retrieval.measure import Quality, evaluate
from engram.retrieval.picture import (
    UnreadablePictureError,
    decode,
    quiet_decoders,
    read_content,
)
from engram.studies.picture_search import TEXTS, SearchModels

FEWEST = 20
"""Pictures with captions that are needed: half of them train, or more."""
LEAK = (
    "MiniLM's training data include the captions of Flickr30k, which extends Flickr8k: for these "
    "captions, the text encoder may have met them in training."
)


class Trained(NamedTuple):
    """A trained head and its measurement.

    Attributes:
        head: The head.
        measured: Recalls of it and of ConSE on the pictures held out.
    """

    head: LinearHead
    measured: dict[str, Any]

    @property
    def is_better(self) -> bool:
        """Whether its rSum is above that of ConSE on the pictures held out."""
        return self.measured["trained"]["rsum"] > self.measured["conse"]["rsum"]


class Examples(NamedTuple):
    """Pictures and captions as vectors.

    Attributes:
        features: Features of the pictures, (pictures, features).
        vectors: Vectors of the captions, (captions, dimensions).
        owner: The picture of each caption, (captions).
        unreadable: Number of pictures that could not be read.
    """

    features: NDArray[np.float32]
    vectors: NDArray[np.float32]
    owner: NDArray[np.int64]
    unreadable: int

    def part(self, chosen: NDArray[np.integer]) -> "Examples":
        """The pictures with these numbers, and their captions."""
        number = np.full(len(self.features), -1)
        number[chosen] = np.arange(len(chosen))
        kept = number[self.owner] >= 0
        owner = number[self.owner[kept]]
        return Examples(self.features[chosen], self.vectors[kept], owner, self.unreadable)


def train_head(
    models: SearchModels,
    captions: Path,
    images: Path | None,
    settings: LinearTraining,
    hold_out: float,
    test_captions: Path | None = None,
    progress: Progress = silent,
) -> Trained:
    """Train two linear maps on captions, and measure them and ConSE on pictures held out.

    Args:
        models: The encoders, with ConSE as their head.
        captions: File of captions.
        images: Folder of the pictures.
        settings: How they are trained.
        hold_out: Share of the pictures that are held out.
        test_captions: File of captions to measure on; none are then held out.
        progress: Called for each step.

    Raises:
        ValueError: If the captions cannot be read, or are too few.
    """
    if not 0 < hold_out <= 0.5:
        raise EngramError(f"hold_out is {hold_out}; give a share above 0 and up to 0.5")
    examples = embed(models, read_captions(captions, images), progress)
    count = len(examples.features)
    if count < FEWEST:
        raise EngramError(f"{count} pictures with captions can be read; {FEWEST} are needed")
    if test_captions is None:
        order = np.random.default_rng(settings.seed).permutation(count)
        held = max(2, round(hold_out * count))
        test, train = examples.part(np.sort(order[:held])), examples.part(np.sort(order[held:]))
    else:
        test, train = embed(models, read_captions(test_captions, images), progress), examples
    weights = train_linear(train.features, train.vectors, train.owner, settings, progress)
    about = {"captions": len(train.owner), "pictures": len(train.features), "file": captions.name}
    head = LinearHead(weights, models.texts, TEXTS, about)
    ranked = {
        "trained": head.pictures(test.features) @ head.mapped_texts(test.vectors).T,
        "conse": models.head.pictures(test.features) @ test.vectors.T,
    }
    measured: dict[str, Any] = {"held_out": len(test.features), "unreadable": examples.unreadable}
    for name, scores in ranked.items():
        rng = np.random.default_rng(settings.seed)
        measured[name] = _recalls(evaluate(scores.astype(np.float32), test.owner, rng))
    return Trained(head, measured)


def embed(
    models: SearchModels, captioned: Sequence[Captioned], progress: Progress = silent
) -> Examples:
    """Turn pictures and captions into vectors; pictures that cannot be read are left out.

    Args:
        models: The encoders.
        captioned: The pictures with their captions.
        progress: Called for each batch.
    """
    features, texts, owner, batch = [], [], [], []
    read = 0
    for number, one in enumerate(captioned):
        try:
            with quiet_decoders():
                content = (
                    one.content if isinstance(one.content, bytes) else read_content(one.content)
                )
                batch.append(decode(content, models.side, Path(one.name).suffix).pixels)
        except UnreadablePictureError:
            continue
        texts += one.captions
        owner += [read] * len(one.captions)
        read += 1
        if len(batch) == 32:
            features.append(models.features(np.stack(batch)))
            batch = []
            progress(Step("pictures", number + 1, len(captioned)))
    if batch:
        features.append(models.features(np.stack(batch)))
    if not features:
        raise EngramError(f"none of {len(captioned)} pictures can be read")
    vectors = []
    for start in range(0, len(texts), 1024):
        vectors.append(models.texts(texts[start : start + 1024]))
        progress(Step("captions", start, len(texts)))
    return Examples(
        np.concatenate(features), np.concatenate(vectors), np.array(owner), len(captioned) - read
    )


def _recalls(quality: Quality) -> dict[str, Any]:
    return {
        "t2i": [cell.estimate for cell in quality.text_to_image.recalls],
        "i2t": [cell.estimate for cell in quality.image_to_text.recalls],
        "rsum": quality.rsum.estimate,
        "rsum_interval": [quality.rsum.low, quality.rsum.high],
    }
