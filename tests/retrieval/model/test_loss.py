"""Losses against plain loops, SciPy and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import entropy

from engram.retrieval.model import (
    balance,
    contrastive,
    disagreement,
    hardest_hinge,
    redundancy,
)

IDS = torch.tensor([0, 1, 0, 2, 3])
SAME = IDS[:, None] == IDS


def negatives(i: int) -> list[int]:
    return [j for j in range(5) if IDS[j] != IDS[i]]


@pytest.mark.parametrize("every", [False, True])
def test_the_hinge_of_the_hardest_and_of_all_negatives(every: bool) -> None:
    scores = torch.randn(5, 5)
    s, total = scores.tolist(), 0.0
    for i in range(5):
        for costs in (
            [max(0.0, 0.3 + s[i][j] - s[i][i]) for j in negatives(i)],
            [max(0.0, 0.3 + s[j][i] - s[i][i]) for j in negatives(i)],
        ):
            total += (sum(costs) if every else max(costs)) / 5
    assert hardest_hinge(scores, SAME, 0.3, every=every).item() == pytest.approx(total, rel=1e-5)


def test_the_contrastive_loss() -> None:
    scores = torch.randn(5, 5)
    s, total = scores.numpy().astype(float) / 0.5, 0.0
    for i in range(5):
        kept = [i, *negatives(i)]
        total += logsumexp(s[i, kept]) + logsumexp(s[kept, i]) - 2 * s[i, i]
    assert contrastive(scores, SAME, 0.5).item() == pytest.approx(total / 10, rel=1e-5)


@pytest.mark.parametrize("loss", [hardest_hinge, contrastive])
def test_a_pair_that_shares_its_image_pushes_nothing_apart(loss) -> None:
    scores = torch.randn(5, 5, requires_grad=True)
    loss(scores, SAME).backward()
    assert scores.grad is not None
    assert scores.grad[0, 2] == scores.grad[2, 0] == 0
    with pytest.raises(ValueError, match="diagonal"):
        loss(scores, ~SAME)


def test_disagreement_is_the_divergence_of_the_texts_from_the_images() -> None:
    text, image = torch.rand(4, 6).softmax(-1), torch.rand(4, 6).softmax(-1)
    expected = np.mean([entropy(p, q) for p, q in zip(text.numpy(), image.numpy(), strict=True)])
    assert disagreement(text, image).item() == pytest.approx(float(expected), rel=1e-4)
    assert disagreement(text, text).item() == pytest.approx(0, abs=1e-7)
    never = torch.tensor([[1.0, 0.0]])
    assert torch.isfinite(disagreement(never, never.flip(1)))


def test_redundancy_of_orthogonal_and_of_equal_units() -> None:
    assert redundancy(3 * torch.eye(4, 6)).item() == pytest.approx(0, abs=1e-7)
    assert redundancy(torch.ones(4, 6)).item() == pytest.approx(3 / 4)


def test_balance_of_equal_and_of_lone_use() -> None:
    assert balance(torch.eye(5)).item() == pytest.approx(0, abs=1e-6)
    assert balance(torch.eye(5)[:1]).item() == pytest.approx(math.log(5))
