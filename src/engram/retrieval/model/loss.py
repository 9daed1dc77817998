"""Losses of the embeddings, and of the units of common knowledge."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from engram.errors import EngramError


def hardest_hinge(
    scores: Float[Tensor, "n n"],
    same: Bool[Tensor, "n n"],
    margin: float = 0.2,
    *,
    every: bool = False,
) -> Float[Tensor, ""]:
    """Hinge loss in both directions, with the hardest negative: mean max_j [α + s_ij − s_ii]₊.

    Args:
        scores: Similarity of image i and text j; the pairs are on the diagonal.
        same: Which pairs share an image and are no negatives, such as `ids[:, None] == ids`.
        margin: The margin α.
        every: Sum over all negatives instead, which the first epoch needs to leave the start.

    Returns:
        The sum over both directions of the mean over the pairs.

    Raises:
        ValueError: If the diagonal of `same` is not true.

    References:
        Faghri, Fleet, Kiros, Fidler (2018), VSE++: improving visual-semantic embeddings with hard
        negatives, BMVC, arXiv 1707.05612, equations 5 and 6.
    """
    _check_diagonal(same)
    pairs = scores.diagonal()

    def direction(violation: Tensor) -> Tensor:
        cost = violation.clamp(min=0).masked_fill(same, 0.0)
        return (cost.sum(1) if every else cost.max(1).values).mean()

    return direction(margin + scores - pairs[:, None]) + direction(
        margin + scores.T - pairs[:, None]
    )


def contrastive(
    scores: Float[Tensor, "n n"], same: Bool[Tensor, "n n"], temperature: float | Tensor = 0.07
) -> Float[Tensor, ""]:
    """InfoNCE in both directions: the mean of −log softmax_j(s_ij / τ) at j = i.

    Args:
        scores: Similarity of image i and text j; the pairs are on the diagonal.
        same: Which pairs share an image and are no negatives.
        temperature: The temperature τ.

    Returns:
        The mean over the pairs and both directions.

    Raises:
        ValueError: If the diagonal of `same` is not true.

    References:
        van den Oord, Li, Vinyals (2018), Representation learning with contrastive predictive
        coding, arXiv 1807.03748, equation 4.
    """
    _check_diagonal(same)
    others = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    logits = (scores / temperature).masked_fill(others, -torch.inf)
    target = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def disagreement(
    text: Float[Tensor, "n unit"], image: Float[Tensor, "n unit"]
) -> Float[Tensor, ""]:
    """How differently the modalities use the units: the mean of KL(p_text ‖ p_image).

    Args:
        text: Use of the units by each text.
        image: Use of the units by its image.

    Returns:
        The mean divergence, in nats.
    """
    tiny = torch.finfo(text.dtype).tiny
    return F.kl_div(
        image.clamp(min=tiny).log(),
        text.clamp(min=tiny).log(),
        reduction="batchmean",
        log_target=True,
    )


def redundancy(units: Float[Tensor, "unit width"]) -> Float[Tensor, ""]:
    """How similar the units are: ‖Ĉ Ĉᵀ − I‖² / K² with rows of length 1.

    Args:
        units: The units.

    Returns:
        The mean squared cosine between different units, times (K − 1) / K.
    """
    rows = F.normalize(units, dim=-1)
    eye = torch.eye(len(rows), dtype=rows.dtype, device=rows.device)
    return (rows @ rows.T - eye).square().mean()


def balance(use: Float[Tensor, "n unit"]) -> Float[Tensor, ""]:
    """How unequally the units are used: log K − H(mean use), 0 where all are used equally.

    Args:
        use: Use of the units by each sample.

    Returns:
        The divergence of the mean use from equal use, in nats.
    """
    mean = use.mean(0)
    entropy = torch.special.entr(mean).sum()
    return torch.log(torch.tensor(float(len(mean)), dtype=use.dtype, device=use.device)) - entropy


def _check_diagonal(same: Tensor) -> None:
    if not bool(same.diagonal().all()):
        raise EngramError("a pair on the diagonal of `same` is false; a pair shares its own image")
