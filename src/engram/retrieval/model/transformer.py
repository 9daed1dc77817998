"""The style transformer: a tower for each modality over units of common knowledge."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from engram.errors import EngramError
from engram.retrieval.model.functional import use_of_units
from engram.retrieval.model.knowledge import CommonKnowledge
from engram.retrieval.model.pooling import GeneralisedPooling
from engram.retrieval.model.style import LightBlock, StyleExtractor


class Embedded(NamedTuple):
    """Embeddings of a batch.

    Args:
        vectors: Embeddings of length 1, (batch, dimensions).
        use: Use of each unit of common knowledge, summing to 1, (batch, units); None without them.
    """

    vectors: Tensor
    use: Tensor | None


class Tower(nn.Module):
    """The stages of one modality.

    Args:
        features: Width of the features that enter.
        width: Width of the stages.
        stages: Number of stages.
        heads: Number of heads.
        rank: Rank of the gates.
        dimensions: Dimensions of the embedding.
        positions: Largest number of items where their order matters; None where it does not.
        style: Whether there are style embeddings.
        sequential: Whether the style embeddings of the stages are connected.
        knowledge: Whether the embedding has a part that comes from common knowledge.
        dropout: Probability of dropout.
    """

    def __init__(
        self,
        features: int,
        width: int,
        stages: int,
        heads: int,
        rank: int,
        dimensions: int,
        *,
        positions: int | None,
        style: bool,
        sequential: bool,
        knowledge: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Linear(features, width), nn.LayerNorm(width))
        self.position = None
        if positions is not None:
            self.position = nn.Parameter(torch.randn(positions, width) * 0.02)
        self.blocks = nn.ModuleList(LightBlock(width, heads, dropout) for _ in range(stages))
        self.styles = nn.ModuleList(
            # the first stage has none before it, so that its gate would never be used
            StyleExtractor(width, rank, sequential and stage > 0)
            for stage in range(stages if style else 0)
        )
        self.pool = GeneralisedPooling()
        self.leave = nn.Linear((1 + style + knowledge) * width, dimensions)

    def forward(
        self,
        features: Float[Tensor, "batch item features"],
        valid: Bool[Tensor, "batch item"] | None,
        knowledge: CommonKnowledge | None,
    ) -> Embedded:
        """Embed a batch; a sample's embedding does not depend on the others.

        Args:
            features: Features of regions, cells of a grid, or words.
            valid: Which items exist; None for all.
            knowledge: The units of common knowledge; None without them.

        Returns:
            The embeddings.

        Raises:
            ValueError: If a sample has no item, or more than there are positions.
        """
        valid = _checked(features, valid, self.position)
        # padding may hold anything, NaN included
        x = self.enter(features.masked_fill(~valid[..., None], 0.0))
        if self.position is not None:
            x = x + self.position[: x.shape[1]]
        units = None if knowledge is None else knowledge.units.expand(len(x), -1, -1)
        style = None
        for stage, block in enumerate(self.blocks):
            x = block(x, valid)
            if len(self.styles):
                style = self.styles[stage](x, valid, style)
            if knowledge is not None:
                x, units = knowledge(x, valid, units, style)
        parts, use = [self.pool(x, valid)], None
        if style is not None:
            parts.append(style)
        if knowledge is not None:
            use = use_of_units(parts[0], knowledge.units)
            parts.append(use @ knowledge.units)
        return Embedded(F.normalize(self.leave(torch.cat(parts, dim=-1)), dim=-1), use)


class StyleTransformer(nn.Module):
    """Image and text towers whose stages share units of common knowledge.

    The parts are the paper's: lightweight transformers, a style embedding extractor with a
    sequential update, and common knowledge optimization. Sizes and equations are our
    reconstruction. The units, their attention and their gates are shared by the modalities and by
    the stages, and the gates have a low rank: the trunk then has less than half of the
    parameters of standard transformers of equal width.

    Args:
        image_features: Width of the features of an image's regions or cells.
        text_features: Width of the features of a word.
        width: Width of the stages; twice the number of heads divides it, and so does 4.
        stages: Number of stages.
        units: Number of units of common knowledge.
        dimensions: Dimensions of the embedding.
        heads: Number of heads.
        rank: Rank of the gates.
        words: Largest number of words of a text.
        style: Whether there are style embeddings (ablation: False).
        knowledge: Whether there is common knowledge (ablation: False).
        shared: Whether the modalities share it (ablation: False).
        sequential: Whether the style embeddings of the stages are connected (ablation: False).
        dropout: Probability of dropout.

    Raises:
        ValueError: If a size is not possible.

    References:
        Li, Ma, Shi, Fan (2023), The style transformer with common knowledge optimization for
        image-text retrieval, IEEE Signal Processing Letters, arXiv 2303.00448.
    """

    def __init__(
        self,
        image_features: int,
        text_features: int,
        width: int = 512,
        stages: int = 3,
        units: int = 64,
        dimensions: int = 1024,
        heads: int = 8,
        rank: int = 64,
        words: int = 256,
        *,
        style: bool = True,
        knowledge: bool = True,
        shared: bool = True,
        sequential: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        sizes = {"stages": stages, "units": units, "dimensions": dimensions, "heads": heads}
        sizes |= {"rank": rank, "words": words, "width": width}
        sizes |= {"image_features": image_features, "text_features": text_features}
        for name, size in sizes.items():
            if size < 1:
                raise EngramError(f"{name} is {size}; give 1 or more")
        if width % (2 * heads) or width % 4:
            raise EngramError(f"width is {width}; give a multiple of 4 and of {2 * heads}")

        def tower(features: int, positions: int | None) -> Tower:
            return Tower(
                features,
                width,
                stages,
                heads,
                rank,
                dimensions,
                positions=positions,
                style=style,
                sequential=sequential,
                knowledge=knowledge,
                dropout=dropout,
            )

        self.image, self.text = tower(image_features, None), tower(text_features, words)
        copies = 0 if not knowledge else 1 if shared else 2
        self.knowledge = nn.ModuleList(
            CommonKnowledge(width, units, heads, rank) for _ in range(copies)
        )

    def embed_images(
        self,
        features: Float[Tensor, "batch item features"],
        valid: Bool[Tensor, "batch item"] | None = None,
    ) -> Embedded:
        """Embed images.

        Args:
            features: Features of the regions of each image, or of the cells of a grid.
            valid: Which of them exist; None for all.

        Returns:
            The embeddings.
        """
        return self.image(features, valid, self.knowledge[0] if len(self.knowledge) else None)

    def embed_texts(
        self,
        features: Float[Tensor, "batch word features"],
        valid: Bool[Tensor, "batch word"] | None = None,
    ) -> Embedded:
        """Embed texts.

        Args:
            features: Features of the words of each text, in order.
            valid: Which of them exist; None for all.

        Returns:
            The embeddings.
        """
        return self.text(features, valid, self.knowledge[-1] if len(self.knowledge) else None)

    def trunk_parameters(self) -> int:
        """Number of parameters of blocks, style extractors and gates, attention of the units.

        The maps into and out of the stages, pooling, positions and the units themselves belong to
        every such model, or are data that it learns, and are left out.
        """
        parts = [self.image.blocks, self.text.blocks, self.image.styles, self.text.styles]
        counted = sum(p.numel() for part in parts for p in part.parameters())
        held = self.knowledge.named_parameters()
        return counted + sum(p.numel() for name, p in held if not name.endswith("units"))


def _checked(features: Tensor, valid: Tensor | None, position: Tensor | None) -> Tensor:
    if valid is None:
        valid = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
    if position is not None and features.shape[1] > len(position):
        raise EngramError(
            f"a text has {features.shape[1]} words; shorten it to {len(position)}, "
            "or build the model with more `words`"
        )
    empty = (~valid.any(1)).nonzero()[:, 0]
    if len(empty):
        raise EngramError(f"sample {int(empty[0])} has no valid item; leave it out")
    return valid
