"""The members of the neuron family that the contract suite runs over."""

from collections.abc import Callable

from engram.neuron import IF, LIF, PSN, MaskedPSN, Neuron, ParametricLIF, SlidingPSN

T = 7

MEMBERS: dict[str, Callable[[], Neuron]] = {
    "if": IF,
    "if-soft": lambda: IF(reset=None),
    "lif": LIF,
    "lif-soft-detached": lambda: LIF(3.0, reset=None, detach_reset=True),
    "lif-undecayed": lambda: LIF(1.5, reset=-0.3, decay_input=False),
    "plif": ParametricLIF,
    "plif-soft-undecayed": lambda: ParametricLIF(3.0, reset=None, decay_input=False),
    "psn": lambda: PSN(T=T),
    "masked": lambda: MaskedPSN(k=3, T=T, lam=1.0),
    "masked-fading": lambda: MaskedPSN(k=3, T=T, lam=0.4),
    "sliding": lambda: SlidingPSN(k=3),
    "sliding-longer-than-time": lambda: SlidingPSN(k=2 * T),
}
CAUSAL = {name: make for name, make in MEMBERS.items() if name not in ("psn", "masked-fading")}
