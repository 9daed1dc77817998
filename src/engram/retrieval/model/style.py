"""The light transformer block, and the style embedding extractor with its sequential update."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from engram.retrieval.model.functional import mix, style
from engram.retrieval.model.knowledge import Attention, LowRankGate


class LightBlock(nn.Module):
    """A transformer block with attention in half of the width and a bottleneck of a quarter.

    H = X + Attn(LN X), X̃ = H + FFN(LN H): about 21 % of the parameters of a standard block,
    whose feed-forward part is four times as wide as the input. The sizes are our choice.

    Args:
        width: Width of the items.
        heads: Number of heads.
        dropout: Probability of dropout of both residuals.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width // 4),
            nn.GELU(),
            nn.Linear(width // 4, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch item width"], valid: Bool[Tensor, "batch item"]
    ) -> Float[Tensor, "batch item width"]:
        """Apply the block.

        Args:
            x: Items.
            valid: Which items exist.

        Returns:
            The items of the next stage.
        """
        normed = self.norm(x)
        x = x + self.dropout(self.attention(normed, normed, valid))
        return x + self.dropout(self.feed(x))


class StyleExtractor(nn.Module):
    """Style embedding of a stage, connected to that of the stage before it.

    s = Σ_i softmax_i(w · tanh(W X_i)) X_i; with the sequential update, s̄ ← g ⊙ s̄ + (1 − g) ⊙ s,
    g = σ(W_g[s̄; s]). The idea is the paper's; the equations are our reconstruction.

    Args:
        width: Width of the items.
        rank: Rank of the gate.
        sequential: Whether stages are connected; otherwise s̄ = s at each stage.
    """

    def __init__(self, width: int, rank: int, sequential: bool) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.energy = nn.Linear(width, 1, bias=False)
        self.gate = LowRankGate(width, rank) if sequential else None

    def forward(
        self,
        x: Float[Tensor, "batch item width"],
        valid: Bool[Tensor, "batch item"],
        before: Float[Tensor, "batch width"] | None,
    ) -> Float[Tensor, "batch width"]:
        """Extract the style embedding.

        Args:
            x: Items of the stage.
            valid: Which items exist.
            before: Style embedding after the stage before; None at the first.

        Returns:
            The style embedding after this stage.
        """
        energy = self.energy(torch.tanh(self.hidden(x)))[..., 0]
        now = style(x, energy, valid)
        if self.gate is None or before is None:
            return now
        return mix(self.gate(before, now).sigmoid(), now, before)
