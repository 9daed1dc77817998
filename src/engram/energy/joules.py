"""Counts become energy: constants of a process, replaceable, and what is charged with them.

The defaults are those of 45 nm at 0.9 V (Horowitz, "Computing's energy problem", ISSCC 2014,
figure 1.1.9). No number here is a measurement of a chip that runs the network.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, final

from engram.energy.count import Count
from engram.energy.operation import Kind, Operand, Operation

PICO = 1e-12


def _check(costs: object) -> None:
    for name, value in vars(costs).items():
        if isinstance(value, int | float) and not (math.isfinite(value) and value >= 0):
            raise ValueError(
                f"{type(costs).__name__}({name}={value!r}): give a finite number, 0 or more"
            )


@final
@dataclass(frozen=True)
class Arithmetic:
    """Energy of an operation, in picojoules.

    Args:
        name: Format of the numbers.
        mac_pj: A multiplication with accumulation.
        ac_pj: An accumulation.

    Raises:
        ValueError: An energy is negative or not finite.

    References:
        Horowitz, ISSCC 2014: fp32 3.7 + 0.9, fp16 1.1 + 0.4, int8 0.2 + 0.03 pJ.
    """

    name: str = "fp32"
    mac_pj: float = 4.6
    ac_pj: float = 0.9

    def __post_init__(self) -> None:
        _check(self)


FP32 = Arithmetic()
FP16 = Arithmetic("fp16", mac_pj=1.5, ac_pj=0.4)
INT8 = Arithmetic("int8", mac_pj=0.23, ac_pj=0.03)


@final
@dataclass(frozen=True)
class Memory:
    """Energy of moving a byte, in picojoules, and how wide what moves is.

    Args:
        sram_pj: To or from the memory on the chip, a byte.
        dram_pj: To or from the memory beside the chip, a byte.
        bits: Width of a weight, a membrane and a real activation. A binary activation takes 1 bit
            and an integer one as many as its largest value needs.

    Raises:
        ValueError: A number is negative or not finite.

    References:
        Horowitz, ISSCC 2014: 20 pJ for 64 bits from 32 KB of SRAM, 1.3 nJ (to 2.6) from DRAM.
    """

    sram_pj: float = 2.5
    dram_pj: float = 162.5
    bits: int = 32

    def __post_init__(self) -> None:
        _check(self)


@final
@dataclass(frozen=True)
class Quantised:
    """Energy of whole-number arithmetic, in picojoules, for the comparison at equal information.

    Args:
        weight_bits: Width of a weight, for the spiking network and the other alike.
        multiply_pj: An 8 × 8-bit multiplication; b × w bits take b·w/64 of it, as the area of an
            array multiplier grows.
        add_pj: An accumulation in 32 bits.

    Raises:
        ValueError: A number is negative or not finite.

    References:
        Horowitz, ISSCC 2014: 0.2 pJ and 0.1 pJ.
    """

    weight_bits: int = 8
    multiply_pj: float = 0.2
    add_pj: float = 0.1

    def __post_init__(self) -> None:
        _check(self)

    def mac_pj(self, bits: int) -> float:
        """A multiplication of an activation of so many bits with a weight, accumulated."""
        return self.multiply_pj * bits * self.weight_bits / 64 + self.add_pj


class EqualInformation(NamedTuple):
    """A spiking network beside a network that says as much in one pass.

    Attributes:
        bits: ⌈log2(T + 1)⌉: width of an activation that counts up to T spikes.
        spiking_j: The spiking network, its arithmetic in whole numbers, joules a sample.
        quantised_j: The other network, with the same layers, joules a sample.
    """

    bits: int
    spiking_j: float
    quantised_j: float


def compute_j(count: Count, arithmetic: Arithmetic = FP32) -> float:
    """E = E_MAC · MACs + E_AC · ACs over the effective operations, joules a sample."""
    return sum(operation_j(one, arithmetic) for one in count.synaptic) / count.samples


def operation_j(operation: Operation, arithmetic: Arithmetic = FP32) -> float:
    """The energy of one operation over all its calls, in joules."""
    pj = arithmetic.mac_pj if operation.gate is None else arithmetic.ac_pj
    return operation.effective * pj * PICO


def paper_j(count: Count, arithmetic: Arithmetic = FP32) -> float:
    """E = E_MAC · FLOPs + E_AC · Σ firing rate · FLOPs: the formula of the papers, joules a sample.

    FLOPs are nominal, with the products with the padding and the additions of the bias; they are
    those of all T steps, and so are those of a convolution that met each picture once. The rate
    scales only the operations that read spikes.

    References:
        Zhou et al., arXiv 2304.11954, section 4.
    """
    pj = 0.0
    for one in count.synaptic:
        flops, gate = one.nominal + one.biases, one.gate
        if one.operator == "convolution" and times_run(one, count) == 1:
            flops *= count.steps
        pj += flops * (arithmetic.mac_pj if gate is None else gate.rate * arithmetic.ac_pj)
    return pj * PICO / count.samples


def neurons_j(count: Count, arithmetic: Arithmetic = FP32) -> float:
    """What the membranes take: a MAC for each update and product, joules a sample."""
    products = sum(one.effective for one in count.dynamics) / count.samples
    return (count.membrane_updates + products) * arithmetic.mac_pj * PICO


def memory_j(count: Count, memory: Memory = Memory(), *, reuse: bool = True) -> float:
    """What moving the data takes, joules a sample.

    Each weight comes from DRAM once a sample; each activation goes to SRAM and comes back; each
    membrane too, at every step. With `reuse` that is all, the least that layer after layer must
    move. Without, each effective operation fetches its weight and updates its sum in SRAM, as
    when spikes are served one by one.

    Args:
        count: What ran.
        memory: Energy of a byte.
        reuse: Whether what was fetched serves all the operations that want it.
    """
    value = memory.bits / 8
    weights = sum(
        side.size * value for one in count.synaptic for side in one.operands if side.weight
    )
    moved = sum(
        2 * side.elements * operand_bits(side, memory.bits) / 8
        for one in count.synaptic
        for side in one.operands
        if not side.weight
    )
    moved = moved / count.samples + 2 * count.membrane_updates * value
    if not reuse:
        moved += 3 * value * (count.macs + count.acs)
    return (weights * memory.dram_pj + moved * memory.sram_pj) * PICO


def operand_bits(operand: Operand, real: int) -> int:
    """Bits that a value of an operand takes; `real` where it is no whole number."""
    if operand.kind is Kind.REAL:
        return real
    return max(1, math.ceil(math.log2(operand.largest + 1)))


def equal_information(count: Count, costs: Quantised = Quantised()) -> EqualInformation:
    """The network beside one of the same layers whose activations say how often of T each fired.

    That network runs once. Of the products of a layer it takes no more than those of one step,
    nor more than the spiking one has effective, because a count is 0 where no spike was.

    Args:
        count: What ran.
        costs: Energy of whole-number arithmetic.

    References:
        Yan et al., "Reconsidering the energy efficiency of spiking neural networks",
        arXiv 2409.08290.
    """
    bits = max(1, math.ceil(math.log2(count.steps + 1)))
    spiking = quantised = 0.0
    for one in count.synaptic:
        once = min(one.dense / times_run(one, count), one.effective)
        if one.gate is not None:
            spiking += one.effective * costs.add_pj
            quantised += once * costs.mac_pj(bits)
        else:  # what reads no spikes reads 8 bits in both
            spiking += one.effective * costs.mac_pj(8)
            quantised += once * costs.mac_pj(8)
    scale = PICO / count.samples
    return EqualInformation(bits, spiking * scale, quantised * scale)


def times_run(operation: Operation, count: Count) -> int:
    """How often an operation met each sample: T, or once where time was not there."""
    return count.steps if operation.rows % (count.steps * count.samples) == 0 else 1
