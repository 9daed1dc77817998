"""Losses of classifiers along time, as functions of outputs and labels or class shares."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from engram.errors import EngramError

Loss = Callable[..., Tensor]
"""Maps outputs and labels, and the outputs of a teacher if there is one, to the mean loss."""


def temporal_efficient(
    outputs: Float[Tensor, "..."],
    targets: Tensor,
    *,
    smoothing: float = 0.0,
    share: float = 0.05,
    level: float = 1.0,
) -> Float[Tensor, ""]:
    """Temporal efficient training: L = (1 − λ)/T Σ_t CE(o_t, y) + λ/T Σ_t MSE(o_t, φ).

    Args:
        outputs: The output at each step, `(time, batch, classes)`.
        targets: Labels `(batch,)` or class shares `(batch, classes)`.
        smoothing: Label smoothing of the cross-entropy.
        share: λ, the share of the regularisation.
        level: φ, the value to which all outputs are drawn.

    Raises:
        ValueError: If the outputs are not by step.

    References:
        Deng et al., "Temporal efficient training", ICLR 2022, equations 9 and 10.
    """
    if outputs.ndim != 3:
        raise EngramError(
            f"loss='tet' got outputs of shape {tuple(outputs.shape)}: it needs those of each step, "
            "(time, batch, classes)"
        )
    many = targets.expand(len(outputs), *targets.shape).flatten(0, 1)
    entropy = F.cross_entropy(outputs.flatten(0, 1), many, label_smoothing=smoothing)
    return (1 - share) * entropy + share * (outputs - level).square().mean()


def distillation(loss: Loss, *, temperature: float = 4.0, share: float = 0.5) -> Loss:
    """Mix a loss with the divergence from a teacher: (1 − a)·L + a·τ²·KL(teacher ‖ student).

    Args:
        loss: The loss L of outputs and labels.
        temperature: τ, by which the logits are divided in the divergence.
        share: a.

    Returns:
        A loss of outputs, labels and the teacher's logits.

    References:
        Hinton et al., "Distilling the knowledge in a neural network", arXiv 1503.02531.
    """

    def mixed(outputs: Tensor, targets: Tensor, taught: Tensor) -> Tensor:
        mean = outputs.mean(0) if outputs.ndim == 3 else outputs
        divergence = F.kl_div(
            (mean / temperature).log_softmax(-1),
            (taught / temperature).log_softmax(-1),
            reduction="batchmean",
            log_target=True,
        )
        return (1 - share) * loss(outputs, targets) + share * temperature**2 * divergence

    return mixed


def correct(outputs: Tensor, labels: Tensor) -> Tensor:
    """Whether each example is classified correctly, from logits or from logits by step."""
    mean = outputs.mean(0) if outputs.ndim == 3 else outputs
    return torch.eq(mean.argmax(-1), labels)
