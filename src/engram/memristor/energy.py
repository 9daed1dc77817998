"""Energy of inference and of pulses, from what was active, term by term.

    read         V²(G⁺ + G⁻)t for each pair whose row is active
    driver       C·V² for each cell of an active row
    comparator   for each output of each pass, and for each input that is drawn as a bit
    converter    in place of comparators, for each output that is read as a number
    digital      an addition for each output of the last layer and pass: the votes
    write        for each pulse on a device; a pulse of a weight is one on each of its two

A differential pair that starts symmetric has G⁺ + G⁻ = G_low + G_high. Constants can be replaced;
none is a measurement of a chip.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

from engram.energy import FP32, INT8, Memory
from engram.errors import EngramError
from engram.memristor.device.step import Range
from engram.memristor.layer import BinaryStochastic, StochasticBits, drawing

FLOAT_SRAM_PJ = FP32.mac_pj + 4 * Memory().sram_pj
"""A multiply-accumulate in fp32 with its weight from on-chip memory, by `engram.energy`."""
ANALOG_PJ = 0.45
"""A multiply-accumulate of an analog crossbar with 8-bit converters: an order of magnitude."""


@final
@dataclass(frozen=True)
class Circuit:
    """Constants of a crossbar and its periphery.

    Args:
        read_voltage_v: V of a read, in volts.
        read_time_s: t of a read, in seconds.
        comparator_j: Energy of a decision of a comparator, in joules; 50 to 100 fJ are usual.
        line_f: Capacitance of a row for each of its cells, in farads: an assumption.
        adc_j: Energy of an analog-to-digital conversion of 8 bits, in joules.
        write_j: Energy of a pulse on a device, in joules; 1 to 10 pJ are usual of resistive memory.
        vote_j: Energy of an addition of votes, in joules: that of 8 bits, Horowitz, ISSCC 2014.

    Raises:
        EngramError: If a constant is negative or not finite.
    """

    read_voltage_v: float = 0.1
    read_time_s: float = 1e-8
    comparator_j: float = 75e-15
    line_f: float = 1e-15
    adc_j: float = 1.56e-12
    write_j: float = 5e-12
    vote_j: float = INT8.ac_pj * 1e-12

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise EngramError(f"{name}={value}: give a finite number, 0 or more")


USUAL = Circuit()


class Activity(NamedTuple):
    """What a layer does in a pass, per sample.

    Attributes:
        layer: Number of the layer.
        inputs: Pairs that sum into an output, with that of the bias.
        outputs: Pairs in a row.
        places: Reads of the crossbar: 1, or the places of a convolution.
        active: Active rows, summed over the places.
        drawn: Inputs that are drawn as bits before the layer.
    """

    layer: int
    inputs: int
    outputs: int
    places: float
    active: float
    drawn: float = 0.0

    @property
    def products(self) -> float:
        """Multiply-accumulate operations of the layer."""
        return self.inputs * self.outputs * self.places


class Term(NamedTuple):
    """A line of the ledger.

    Attributes:
        layer: Number of the layer.
        operation: read, driver, comparator, converter, digital or write.
        events: How often per sample.
        energy_j: Energy per sample, in joules.
    """

    layer: int
    operation: str
    events: float
    energy_j: float


@torch.no_grad()
def activity(model: nn.Module, x: Tensor) -> list[Activity]:
    """Count active rows in one stochastic pass, as the mean over samples.

    Args:
        model: A model of stochastic layers.
        x: Inputs, `(sample, …)`.
    """
    found: list[Activity] = []
    drawn = 0.0

    def see(layer: nn.Module, given: Any, result: Any) -> None:
        nonlocal drawn
        if isinstance(layer, StochasticBits):
            drawn = result[0].numel()
            return
        assert isinstance(layer, BinaryStochastic)
        ones = torch.ones_like(layer.weight[:1])
        rows = layer.read(given[0], ones)
        places = rows[0].numel()
        active = float(rows.double().sum()) / len(x) + places
        weight = layer.weight
        shape = weight[0].numel() + 1, len(weight)
        found.append(Activity(layer.address.layer, *shape, places, active, drawn))
        drawn = 0.0

    layers = [m for m in model.modules() if isinstance(m, BinaryStochastic | StochasticBits)]
    hooks = [layer.register_forward_hook(see) for layer in layers]
    try:
        with drawing(model):
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def inference(
    layers: Sequence[Activity],
    bounds: Range,
    passes: int,
    circuit: Circuit = USUAL,
    *,
    converters: bool = False,
) -> list[Term]:
    """The ledger of a classification by votes, per sample.

    Args:
        layers: From `activity`, the output layer last.
        bounds: Range of the conductance of a device.
        passes: N.
        circuit: Constants.
        converters: Whether outputs are read as numbers, as those of a converted model are, and
            not as bits.

    Raises:
        EngramError: If there are no layers or passes.
    """
    if not layers or passes < 1:
        raise EngramError(f"{len(layers)} layers, passes={passes}: give at least one of each")
    pair_j = circuit.read_voltage_v**2 * (bounds.low_s + bounds.high_s) * circuit.read_time_s
    cell_j = circuit.line_f * circuit.read_voltage_v**2
    terms: list[Term] = []
    for one in layers:
        reads = passes * one.active * one.outputs
        outputs = passes * one.places * one.outputs
        decisions = passes * one.drawn + (0 if converters else outputs)
        conversions = outputs if converters else 0
        terms += [
            Term(one.layer, "read", reads, reads * pair_j),
            Term(one.layer, "driver", passes * one.active, 2 * reads * cell_j),
            Term(one.layer, "comparator", decisions, decisions * circuit.comparator_j),
            Term(one.layer, "converter", conversions, conversions * circuit.adc_j),
        ]
    votes = passes * layers[-1].outputs * layers[-1].places
    return [*terms, Term(layers[-1].layer, "digital", votes, votes * circuit.vote_j)]


def writing(layer: int, pulses: float, circuit: Circuit = USUAL) -> Term:
    """The line of the pulses of a layer's weights, per sample.

    Args:
        layer: Number of the layer.
        pulses: Pulses of weights; each moves two devices.
        circuit: Constants.

    Raises:
        EngramError: If the number is negative or not finite.
    """
    if not 0 <= pulses < math.inf:
        raise EngramError(f"pulses={pulses}: give a finite number, 0 or more")
    return Term(layer, "write", 2 * pulses, 2 * pulses * circuit.write_j)


def total_j(terms: Sequence[Term]) -> float:
    """The sum of a ledger, in joules."""
    return math.fsum(term.energy_j for term in terms)
