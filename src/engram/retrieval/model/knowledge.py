"""Common knowledge optimization: units that both modalities write into and read from."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from engram.retrieval.model.functional import attend, mix


class LowRankGate(nn.Module):
    """A linear map of two vectors of a width to one, through a bottleneck.

    Args:
        width: Width of each vector.
        rank: Width of the bottleneck.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(2 * width, rank, bias=False)
        self.up = nn.Linear(rank, width)

    def forward(
        self, old: Float[Tensor, "*shape width"], new: Float[Tensor, "*shape width"]
    ) -> Float[Tensor, "*shape width"]:
        """W [old; new] + b, without a nonlinearity.

        Args:
            old: First vector.
            new: Second vector.

        Returns:
            The map.
        """
        return self.up(self.down(torch.cat([old, new], dim=-1)))


class Attention(nn.Module):
    """Multi-head attention in half of the width.

    Args:
        width: Width of the input and the output.
        heads: Number of heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(width, width // 2, bias=False) for _ in range(3))
        self.out = nn.Linear(width // 2, width)

    def forward(
        self,
        query: Float[Tensor, "batch query width"],
        items: Float[Tensor, "batch item width"],
        valid: Bool[Tensor, "batch item"],
    ) -> Float[Tensor, "batch query width"]:
        """Attend from queries to items.

        Args:
            query: Queries.
            items: Keys and values.
            valid: Which items exist.

        Returns:
            What the queries found.
        """
        found = attend(self.q(query), self.k(items), self.v(items), valid, self.heads)
        return self.out(found)


class CommonKnowledge(nn.Module):
    """Units of common knowledge C: each sample writes into a copy of its own, then reads from it.

    U = Attn(C, [X; s̄]), z = σ(W_z[C; U]), C ← (1 − z) ⊙ C + z ⊙ tanh(W_c[C; U]),
    X ← X + γ Attn(X, C). γ starts at 0.

    The idea is the paper's; these equations are our reconstruction, since the abstract does not
    give any. A sample never sees another one, so that its embedding can be indexed.

    Args:
        width: Width of a unit.
        units: Number of units.
        heads: Number of heads.
        rank: Rank of the gates.

    References:
        Li, Ma, Shi, Fan (2023), The style transformer with common knowledge optimization for
        image-text retrieval, IEEE Signal Processing Letters, arXiv 2303.00448.
    """

    def __init__(self, width: int, units: int, heads: int, rank: int) -> None:
        super().__init__()
        self.units = nn.Parameter(torch.randn(units, width) / width**0.5)
        self.write = Attention(width, heads)
        self.read = Attention(width, heads)
        self.open = LowRankGate(width, rank)
        self.content = LowRankGate(width, rank)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(
        self,
        x: Float[Tensor, "batch item width"],
        valid: Bool[Tensor, "batch item"],
        units: Float[Tensor, "batch unit width"],
        style: Float[Tensor, "batch width"] | None,
    ) -> tuple[Float[Tensor, "batch item width"], Float[Tensor, "batch unit width"]]:
        """Write a stage into the units, and read from them.

        Args:
            x: Items of the stage.
            valid: Which items exist.
            units: The units of each sample so far.
            style: Style embedding of each sample; None without an extractor.

        Returns:
            The items after reading, and the units after writing.
        """
        seen, exists = x, valid
        if style is not None:
            seen = torch.cat([x, style[:, None]], dim=1)
            exists = torch.cat([valid, valid.new_ones(len(x), 1)], dim=1)
        update = self.write(units, seen, exists)
        gate = self.open(units, update).sigmoid()
        units = mix(gate, units, self.content(units, update).tanh())
        everything = valid.new_ones(units.shape[:2])
        return x + self.gamma * self.read(x, units, everything), units
