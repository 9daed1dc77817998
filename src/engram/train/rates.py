"""Learning rates as pure functions of the step, so that a resumed run needs no other state."""

import math
from collections.abc import Callable
from typing import Literal, get_args

from engram.errors import EngramError

Rate = Callable[[int], float]
"""Maps the number of optimizer steps taken to the factor of the initial learning rate."""
Kind = Literal["cosine", "step", "constant"]


def cosine(progress: float) -> float:
    """The remaining share of the learning rate: ½(1 + cos(π·progress)), progress from 0 to 1.

    References:
        Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts.
    """
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def schedule(
    kind: Kind,
    steps: int,
    *,
    warmup: int = 0,
    least: float = 0.0,
    period: int = 1,
    decay: float = 0.1,
) -> Rate:
    """Return the learning rate of a training by step, as a factor of the initial one.

    Args:
        kind: "cosine" falls to `least` along half a cosine, "step" is multiplied by `decay` after
            every `period` steps, "constant" stays.
        steps: Number of optimizer steps of the training.
        warmup: Number of first steps, part of `steps`, in which the rate rises linearly to 1.
        least: Smallest factor of a cosine.
        period: Steps between two decays.
        decay: Factor of a decay.

    Raises:
        ValueError: If there is no such schedule or a number is out of range.
    """
    if kind not in get_args(Kind):
        raise EngramError(f"schedule={kind!r}: choose one of {', '.join(get_args(Kind))}")
    if not 0 <= warmup < steps:
        raise EngramError(
            f"warm-up of {warmup} steps in a training of {steps}: give fewer steps than there are"
        )
    if not (0 <= least <= 1 and period >= 1 and decay > 0):
        raise EngramError(
            f"least={least}, period={period}, decay={decay}: least is a factor from 0 to 1, the "
            "period at least 1 step, and the decay positive"
        )

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        done = step - warmup
        if kind == "cosine":
            share = cosine(done / (steps - warmup))
            return least + (1 - least) * share if least else share
        return decay ** (done // period) if kind == "step" else 1.0

    return rate
