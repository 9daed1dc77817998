"""The members of the neuron family that the contract suite runs over."""

from collections.abc import Callable

from engram.neuron import (
    IF,
    LIF,
    PMSN,
    PRF,
    PSN,
    CubaLIF,
    DilatedPSN,
    FixedPointLIF,
    MaskedPSN,
    Neuron,
    ParametricLIF,
    SlidingPSN,
    Threshold,
)

T = 7

MEMBERS: dict[str, Callable[[], Neuron]] = {
    "if": IF,
    "if-soft": lambda: IF(reset=None),
    "lif": LIF,
    "lif-soft-detached": lambda: LIF(3.0, reset=None, detach_reset=True),
    "lif-undecayed": lambda: LIF(1.5, reset=-0.3, decay_input=False),
    "lif-resting": lambda: LIF(2.5, reset=-0.2, resting=0.4),
    "lif-resting-undecayed": lambda: LIF(2.5, reset=None, resting=0.3, decay_input=False),
    "threshold": lambda: Threshold(0.6),
    "cuba": lambda: CubaLIF(1.5, 2.5),
    "cuba-soft-undecayed": lambda: CubaLIF(1.4, 3.0, reset=None, decay_input=False),
    "cuba-resting": lambda: CubaLIF(2.0, 3.0, reset=-0.1, resting=0.3, input_weight=1.7),
    "plif": ParametricLIF,
    "plif-soft-undecayed": lambda: ParametricLIF(3.0, reset=None, decay_input=False),
    "psn": lambda: PSN(T=T),
    "masked": lambda: MaskedPSN(k=3, T=T, lam=1.0),
    "masked-fading": lambda: MaskedPSN(k=3, T=T, lam=0.4),
    "sliding": lambda: SlidingPSN(k=3),
    "sliding-longer-than-time": lambda: SlidingPSN(k=2 * T),
    "dilated": lambda: DilatedPSN(k=3, dilation=2, exponential_init=True),
    "fixed-point": lambda: FixedPointLIF(iterations=T),
    "fixed-point-unfinished": lambda: FixedPointLIF(3.0, iterations=2, decay_input=False),
    "prf": lambda: PRF(step_range=(0.5, 1.0)),
    "pmsn": PMSN,
}
# an unfinished fixed point reads no later input, but comes out closer to LIF the shorter the chunks
NOT_CAUSAL = ("psn", "masked-fading", "fixed-point-unfinished")
STATELESS = ("threshold",)
CAUSAL = {name: make for name, make in MEMBERS.items() if name not in NOT_CAUSAL}
# one of each class; the others differ from them in settings only
KINDS = tuple({type(make()): name for name, make in reversed(MEMBERS.items())}.values())
