"""Two linear maps, trained on captions, that bring pictures and texts into one space."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.numpy import load, save
from torch import nn

from engram.errors import EngramError
from engram.progress import Progress, Step, silent
from engram.retrieval.conse import Texts
from engram.retrieval.model import contrastive
from engram.retrieval.picture import content_key


@dataclass(frozen=True, kw_only=True)
class LinearTraining:
    """How the maps are trained.

    Args:
        dimensions: Dimensions of the common space.
        epochs: Number of passes over the pictures.
        batch: Pictures of a batch, each with one of its captions.
        rate: Learning rate at the start; it falls to 0 as a cosine.
        decay: Weight decay of AdamW.
        dropout: Share of the features that are left out at a step.
        temperature: Temperature of the contrastive loss.
        seed: Seed of the weights, the order, the captions and the dropout.
    """

    dimensions: int = 512
    epochs: int = 30
    batch: int = 256
    rate: float = 1e-3
    decay: float = 0.01
    dropout: float = 0.5
    temperature: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("dimensions", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise EngramError(f"{name} is {getattr(self, name)}; give 1 or more")


@final
class LinearHead:
    """Two linear maps: v = ℓ2(A f + a) of a picture's features, t = ℓ2(B s + b) of a text's vector.

    Args:
        weights: The matrices and offsets by name: "picture", "picture_offset", "text",
            "text_offset".
        texts: The encoder of texts.
        texts_identity: Which encoder that is.
        about: What it was trained on, for people.
    """

    def __init__(
        self,
        weights: dict[str, NDArray[np.float32]],
        texts: Texts,
        texts_identity: str,
        about: dict[str, Any],
    ) -> None:
        self._weights, self._texts, self.about = weights, texts, about
        self.content = save(weights, {"about": json.dumps(about)})
        self.identity = f"linear {content_key(self.content)[:12]}, {texts_identity}"
        self.name = (
            f"two linear maps, trained on {about['captions']:,} captions of "
            f"{about['pictures']:,} pictures"
        )

    @property
    def file(self) -> str:
        """The name of its file in an index."""
        return f"head-{content_key(self.content)[:12]}.safetensors"

    def texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors of texts, (texts, dimensions)."""
        return self.mapped_texts(self._texts(texts))

    def mapped_texts(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors of texts by the vectors of the text encoder."""
        return self._mapped("text", vectors)

    def pictures(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors of pictures, (pictures, dimensions).

        Args:
            features: Their features, (pictures, features).
        """
        return self._mapped("picture", features)

    def _mapped(self, side: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
        y = x @ self._weights[side].T + self._weights[f"{side}_offset"]
        return y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-12)


def load_linear(path: Path, texts: Texts, texts_identity: str) -> LinearHead:
    """Read a head.

    Args:
        path: Its file, whose name has the hash of its content.
        texts: The encoder of texts.
        texts_identity: Which encoder that is.

    Raises:
        ValueError: If the file is missing or is not the one of that name.
    """
    content = path.read_bytes() if path.is_file() else b""
    if path.name != f"head-{content_key(content)[:12]}.safetensors":
        raise EngramError(f"{path} is missing or damaged; train the head again")
    length = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["about"])
    return LinearHead(load(content), texts, texts_identity, about)


def train_linear(
    features: NDArray[np.floating],
    vectors: NDArray[np.floating],
    owner: NDArray[np.integer],
    settings: LinearTraining,
    progress: Progress = silent,
) -> dict[str, NDArray[np.float32]]:
    """Train two linear maps by the contrastive loss (InfoNCE).

    Args:
        features: Features of the pictures, (pictures, features).
        vectors: Vectors of the captions, (captions, dimensions of texts).
        owner: The picture of each caption, (captions); each picture has one at least.
        settings: How they are trained.
        progress: Called for each epoch.

    Returns:
        The weights of a `LinearHead`.
    """
    rng = np.random.default_rng(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    mean, scale = features.mean(0), features.std(0) + 0.1
    x = torch.from_numpy(((features - mean) / scale).astype(np.float32))
    captions = torch.from_numpy(np.asarray(vectors, np.float32))
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=len(x))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    maps = [
        _initial(x.shape[1], settings, generator),
        _initial(captions.shape[1], settings, generator),
    ]
    parameters = [p for one in maps for p in one.parameters()]
    optimizer = torch.optim.AdamW(parameters, settings.rate, weight_decay=settings.decay)
    batch = min(settings.batch, len(x))
    steps = settings.epochs * (len(x) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(settings.epochs):
        shuffled = rng.permutation(len(x))
        for start in range(0, len(x) - batch + 1, batch):
            chosen = shuffled[start : start + batch]
            text = order[first[chosen] + rng.integers(0, counts[chosen])]
            keep = torch.rand(batch, x.shape[1], generator=generator) >= settings.dropout
            seen = x[chosen] * keep / (1 - settings.dropout)
            v, t = F.normalize(maps[0](seen), dim=1), F.normalize(maps[1](captions[text]), dim=1)
            same = torch.eye(batch, dtype=torch.bool)
            loss = contrastive(v @ t.T, same, settings.temperature)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        progress(Step("training", epoch + 1, settings.epochs))
    return _weights(maps, mean, scale)


def _initial(width: int, settings: LinearTraining, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(width, settings.dimensions)
    nn.init.normal_(layer.weight, std=width**-0.5, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def _weights(
    maps: list[nn.Linear], mean: NDArray[np.floating], scale: NDArray[np.floating]
) -> dict[str, NDArray[np.float32]]:
    """The weights with the standardisation of the features inside."""
    (a, a0), (b, b0) = ((m.weight.detach().numpy(), m.bias.detach().numpy()) for m in maps)
    inside = a / scale
    found = {"picture": inside, "picture_offset": a0 - inside @ mean, "text": b, "text_offset": b0}
    return {name: np.ascontiguousarray(value, np.float32) for name, value in found.items()}
