"""The linear recurrence of neurons without reset, in parallel over time."""

from typing import Any

import torch
from jaxtyping import Inexact
from torch import Tensor

from engram.kernel.transform import transformed


class _Doubling(torch.autograd.Function):
    """Every z[t] in log2(T) rounds; stores only z, as the gradient is the reversed recurrence."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, decay: Tensor) -> Tensor:
        z, power, reach = drive.clone(), decay, 1
        while reach < drive.shape[0]:
            # z[t] now sums the last `reach` drives: join it to the sum that ended `reach` steps ago
            z[reach:] += power * z[:-reach]
            power, reach = power * power, 2 * reach
        ctx.save_for_backward(z, decay)
        return z

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        z, decay = ctx.saved_tensors
        grad = linear_recurrence(grads[0].flip(0), decay.conj()).flip(0)
        return grad, (grad[1:] * z[:-1].conj()).sum(0).sum_to_size(decay.shape)


def linear_recurrence(
    drive: Inexact[Tensor, "time *neurons"],
    decay: Inexact[Tensor, "..."],
    start: Inexact[Tensor, "*neurons"] | None = None,
) -> Inexact[Tensor, "time *neurons"]:
    """Every step of a linear recurrence with constant coefficients, in log2(T) rounds.

    z[t] = a·z[t−1] + d[t].

    No step depends on a later one, so a large later input causes no rounding error in an earlier
    state, unlike a convolution by FFT.

    Args:
        drive: d, real or complex.
        decay: a, in the dtype of d, broadcast to one step.
        start: z before the first step; None is zero.

    Returns:
        z at every step.

    References:
        Blelloch, "Prefix sums and their applications", 1990, section 1.4.
    """
    if start is not None:
        drive = torch.cat([drive[:1] + decay * start, drive[1:]])
    if transformed():
        return _doubled(drive, decay)
    return _Doubling.apply(drive, decay)  # pyright: ignore[reportReturnType]


def _doubled(drive: Tensor, decay: Tensor) -> Tensor:
    """The computation of `_Doubling` in operations that torch can transform."""
    z, power, reach = drive, decay, 1
    while reach < drive.shape[0]:
        z = torch.cat([z[:reach], z[reach:] + power * z[:-reach]])
        power, reach = power * power, 2 * reach
    return z
