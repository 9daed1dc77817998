"""Generalised pooling, which learns where between mean and maximum a modality is best pooled."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from engram.retrieval.model.functional import pool_sorted


class GeneralisedPooling(nn.Module):
    """Pools items by weights on their sorted features, which depend on the number of items only.

    A bidirectional GRU reads sinusoidal codes of the positions 1 … n and gives n weights.

    Args:
        positions: Width of the positional codes, even.
        hidden: Width of the GRU.

    References:
        Chen et al. (2021), arXiv 2011.04305, section 3.3.
    """

    def __init__(self, positions: int = 32, hidden: int = 32) -> None:
        super().__init__()
        self.positions = positions
        self.gru = nn.GRU(positions, hidden, batch_first=True, bidirectional=True)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(
        self, x: Float[Tensor, "batch item width"], valid: Bool[Tensor, "batch item"]
    ) -> Float[Tensor, "batch width"]:
        """Pool the valid items.

        Args:
            x: Items.
            valid: Which items exist, at least one of each sample.

        Returns:
            The pooled features.
        """
        lengths, at = valid.sum(1).unique(return_inverse=True)
        theta = self.weights(lengths)[at]
        padding = x.shape[1] - theta.shape[1]
        return pool_sorted(x, valid, nn.functional.pad(theta, (0, padding)))

    def weights(self, lengths: Tensor) -> Tensor:
        """The weights θ for each number of items.

        Args:
            lengths: Numbers of items, 1 or more, (n).

        Returns:
            The weights, zero beyond a length and summing to 1, (n, largest length).
        """
        longest = int(lengths.max())
        codes = self._codes(longest, lengths.device).expand(len(lengths), -1, -1)
        packed = pack_padded_sequence(codes, lengths.cpu(), batch_first=True, enforce_sorted=False)
        read, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=longest)
        forth, back = read.chunk(2, dim=-1)
        scores = self.score((forth + back) / 2)[..., 0]
        beyond = torch.arange(longest, device=lengths.device) >= lengths[:, None]
        return scores.masked_fill(beyond, -torch.inf).softmax(-1)

    def _codes(self, longest: int, device: torch.device) -> Tensor:
        steps = torch.arange(self.positions // 2, device=device)
        rates = torch.exp(steps * (-2 * math.log(1e4) / self.positions))
        angles = torch.arange(1, longest + 1, device=device)[:, None] * rates
        codes = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
        return codes.to(self.score.weight.dtype)
