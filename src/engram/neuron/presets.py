"""Neurons by name, and the schedule of the masked PSN's λ."""

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from engram.neuron.dilated import DilatedPSN, sawtooth
from engram.neuron.fixed_point import FixedPointLIF
from engram.neuron.lif import IF, LIF, ParametricLIF
from engram.neuron.module import Neuron
from engram.neuron.pmsn import PMSN
from engram.neuron.psn import PSN, MaskedPSN, SlidingPSN
from engram.neuron.resonate import PRF


class Place(NamedTuple):
    """Position of a layer of neurons in a network.

    Attributes:
        T: Number of steps of the sequences.
        k: Order: number of inputs per step of a windowed neuron.
        channels: Size of the third axis of its input.
        layer: Number of layers of neurons before it.
    """

    T: int
    k: int
    channels: int = 1
    layer: int = 0


class Preset(NamedTuple):
    """A neuron by name: its label, its constructor, and whether it needs a fixed length."""

    label: str
    make: Callable[[Place], Neuron]
    fixed_length: bool = False


# the LIF family as arXiv 2304.12760 has its baselines: soft reset, outside the gradient
PRESETS: dict[str, Preset] = {
    "if": Preset("IF", lambda place: IF(reset=None, detach_reset=True)),
    "lif": Preset("LIF", lambda place: LIF(reset=None, detach_reset=True)),
    "plif": Preset("PLIF", lambda place: ParametricLIF(reset=None, detach_reset=True)),
    "psn": Preset("PSN", lambda place: PSN(place.T), fixed_length=True),
    "masked": Preset("masked PSN", lambda place: MaskedPSN(place.k, place.T), fixed_length=True),
    "sliding": Preset("sliding PSN", lambda place: SlidingPSN(place.k)),
    "dilated": Preset(
        "dilated PSN",
        lambda place: DilatedPSN(
            place.k, sawtooth(place.layer + 1)[-1], place.channels, exponential_init=True
        ),
    ),
    "prf": Preset("PRF", lambda place: PRF(place.channels)),
    "pmsn": Preset("PMSN", lambda place: PMSN(place.channels)),
    "fixed-point": Preset("fixed-point LIF", lambda place: FixedPointLIF(detach_reset=True)),
}


def mask_share(epoch: int, epochs: int) -> float:
    """The masked PSN's λ in an epoch: min(1, 8·epoch/(E − 1)), 1 if there is only one epoch.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760, and the authors' code.
    """
    return min(1.0, 8 * epoch / (epochs - 1)) if epochs > 1 else 1.0


def fade(net: nn.Module, lam: float) -> None:
    """Set λ of each masked PSN in a network."""
    for module in net.modules():
        if isinstance(module, MaskedPSN):
            module.lam = lam
