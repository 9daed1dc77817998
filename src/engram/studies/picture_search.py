"""The default models of picture search: EfficientNet-Lite0 sees, MiniLM reads."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.retrieval.conse import Conse
from engram.retrieval.encoder import MiniLM, minilm, pretrained_minilm
from engram.retrieval.library import Encoder, Library, model_of
from engram.retrieval.library.catalogue import NAME, load_catalogue
from engram.retrieval.linear import LinearHead, load_linear
from engram.retrieval.picture import UnreadablePictureError, decode, quiet_decoders, read_content

if TYPE_CHECKING:
    from engram.vision import EfficientNetLite0

SIDE = 128
"""Side in pixels at which the network sees pictures by default."""
STORE = Path("pictures-index")
"""The default folder of an index."""
LITE0 = "579344248a93"
"""The start of the SHA-256 of EfficientNet-Lite0's weights: a search by words never loads them."""
TEXTS = f"all-MiniLM-L6-v2 {minilm.SHA256['model.safetensors'][:12]}"


@final
class SearchModels:
    """The encoders and the head; each network is loaded when it is first used.

    Args:
        side: Side of the pictures in pixels, as the network gets them.
        head: File of a trained head; ConSE without one.

    Raises:
        ValueError: If the file of the head is missing or damaged.
    """

    def __init__(self, side: int, head: Path | None = None) -> None:
        self.side = side
        self.encoder = Encoder(f"EfficientNet-Lite0 {LITE0} at {side} px", side, self.features)
        self.head: Conse | LinearHead = (
            Conse(self.texts, TEXTS, self.logits)
            if head is None
            else load_linear(head, self.texts, TEXTS)
        )

    @cached_property
    def _lite0(self) -> "EfficientNetLite0":
        from engram.vision import pretrained_lite0  # noqa: PLC0415  words need no pictures

        return pretrained_lite0()

    @cached_property
    def _minilm(self) -> MiniLM:
        return pretrained_minilm()

    @property
    def model(self) -> str:
        """The identity of an index by these models."""
        return model_of(self.encoder, self.head)

    def texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors of texts by MiniLM, (texts, 384)."""
        return self._minilm.encode(texts)

    @torch.inference_mode()
    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pooled features of pictures by EfficientNet-Lite0.

        Args:
            pixels: Values 0 to 255, (pictures, side, side, 3).

        Returns:
            Features, (pictures, 1280).
        """
        from engram.vision import lite0_input  # noqa: PLC0415

        channels_first = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        features = self._lite0.forward_features(lite0_input(channels_first))
        return self._lite0.forward_head(features, pre_logits=True).flatten(1).numpy()

    @torch.inference_mode()
    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of the classes of ImageNet, (pictures, 1000).

        Args:
            features: Pooled features, (pictures, 1280).
        """
        return self._lite0.get_classifier()(torch.from_numpy(features)).numpy()

    def pictures(self, paths: list[Path]) -> NDArray[np.float32]:
        """Unit vectors of the files of pictures.

        Args:
            paths: The files.

        Raises:
            ValueError: If one cannot be read; its name and the reason are said.
        """
        pixels = []
        for path in paths:
            try:
                with quiet_decoders():
                    pixels.append(decode(read_content(path), self.side, path.suffix).pixels)
            except UnreadablePictureError as error:
                raise UnreadablePictureError(f"{path} {error}") from error
        return self.head.pictures(self.features(np.stack(pixels)))


def opened(store: Path) -> tuple[Library, SearchModels]:
    """An index, and the models that it was made by.

    Args:
        store: Folder of the index.

    Raises:
        ValueError: If there is no index, or it is of other models.
    """
    catalogue = load_catalogue(store)
    models = SearchModels(catalogue.side, store / catalogue.head if catalogue.head else None)
    if catalogue.model != models.model:
        raise EngramError(
            f"the index in {store} is of another model: {catalogue.model!r} and not "
            f"{models.model!r}; index its folder again, which makes it anew"
        )
    return Library(store), models


def models_for(
    store: Path, side: int | None = None, untrained: bool = False
) -> tuple[SearchModels, str]:
    """The models to index by, and the name of the file of their head.

    Args:
        store: Folder of the index.
        side: Side of the pictures in pixels; None for that of the index, or 128.
        untrained: Whether a trained head of the index is given up.

    Raises:
        ValueError: If the side is out of range, or the trained head is for another one.
    """
    known = load_catalogue(store) if (store / NAME).exists() else None
    head = "" if known is None or untrained else known.head
    chosen = side or (SIDE if known is None else known.side)
    if side is not None and not 32 <= side <= 1024:
        raise EngramError(f"side is {side}; give 32 … 1024 pixels")
    if head and known is not None and chosen != known.side:
        raise EngramError(
            f"the head of the index was trained at {known.side} pixels and not {chosen}; leave "
            "the side out, or give up the head by --untrained"
        )
    return SearchModels(chosen, store / head if head else None), head
