"""Energy from counts, with replaceable constants of a process technology.

The defaults are those of 45 nm at 0.9 V (Horowitz, "Computing's energy problem", ISSCC 2014,
figure 1.1.9). No number here is a measurement on hardware.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, final

from engram.energy.count import Count
from engram.energy.operation import Kind, Operand, Operation
from engram.errors import EngramError

PICO = 1e-12


def _check(costs: object) -> None:
    for name, value in vars(costs).items():
        if isinstance(value, int | float) and not (math.isfinite(value) and value >= 0):
            raise EngramError(
                f"{type(costs).__name__}({name}={value!r}): give a finite number, 0 or more"
            )


@final
@dataclass(frozen=True)
class Arithmetic:
    """Energy per operation, in picojoules.

    Args:
        name: Number format.
        mac_pj: Energy of a multiply-accumulate operation.
        ac_pj: Energy of an accumulation.

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
    """Energy of moving a byte, in picojoules, and bit widths of the data.

    Args:
        sram_pj: Energy per byte to or from on-chip memory.
        dram_pj: Energy per byte to or from off-chip memory.
        bits: Width of a weight, a membrane and a real activation. A binary activation takes 1 bit
            and an integer one as many bits as its largest value needs.

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
    """Energy of integer arithmetic, in picojoules, for the comparison at equal information.

    Args:
        weight_bits: Width of a weight in both networks.
        multiply_pj: Energy of an 8 × 8-bit multiplication; b × w bits take b·w/64 of it, in
            proportion to the area of an array multiplier.
        add_pj: Energy of an accumulation in 32 bits.

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
        """Energy of a multiply-accumulate of a `bits`-bit activation with a weight."""
        return self.multiply_pj * bits * self.weight_bits / 64 + self.add_pj


class EqualInformation(NamedTuple):
    """A spiking network and a network with equal information in one pass.

    Attributes:
        bits: ⌈log2(T + 1)⌉: width of an activation that counts up to T spikes.
        spiking_j: Energy of the spiking network with integer arithmetic, in joules per sample.
        quantised_j: Energy of the other network, with the same layers, in joules per sample.
    """

    bits: int
    spiking_j: float
    quantised_j: float


def compute_j(count: Count, arithmetic: Arithmetic = FP32) -> float:
    """E = E_MAC · MACs + E_AC · ACs over the effective operations, in joules per sample."""
    return sum(operation_j(one, arithmetic) for one in count.synaptic) / count.samples


def operation_j(operation: Operation, arithmetic: Arithmetic = FP32) -> float:
    """Energy of one operation over all its calls, in joules."""
    pj = arithmetic.mac_pj if operation.gate is None else arithmetic.ac_pj
    return operation.effective * pj * PICO


def paper_j(count: Count, arithmetic: Arithmetic = FP32) -> float:
    """E = E_MAC · FLOPs + E_AC · Σ firing rate · FLOPs: the papers' formula, in joules per sample.

    FLOPs are nominal, including products with the padding and additions of the bias; they are
    those of all T steps, also for a convolution that read each image once. The rate scales only
    the operations that read spikes.

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
    """Energy of the membranes: a MAC for each update and product, in joules per sample."""
    products = sum(one.effective for one in count.dynamics) / count.samples
    return (count.membrane_updates + products) * arithmetic.mac_pj * PICO


def memory_j(count: Count, memory: Memory = Memory(), *, reuse: bool = True) -> float:
    """Energy of moving the data, in joules per sample.

    Each weight is read from DRAM once per sample; each activation is written to and read from
    SRAM, and so is each membrane at every step. With `reuse` that is all, the minimum for
    layer-by-layer execution. Without it, each effective operation also fetches its weight and
    updates its sum in SRAM, as when spikes are processed one by one.

    Args:
        count: The counted operations.
        memory: Energy per byte.
        reuse: Whether fetched data serve all operations that need them.
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
    """Bits per value of an operand; `real` if it is not an integer."""
    if operand.kind is Kind.REAL:
        return real
    return max(1, math.ceil(math.log2(operand.largest + 1)))


def equal_information(count: Count, costs: Quantised = Quantised()) -> EqualInformation:
    """Compare the network with one whose activations count the spikes over T steps.

    That network has the same layers and runs once. A layer has at most the products of one step,
    and at most the effective products of the spiking network, because a count is 0 where there was
    no spike.

    Args:
        count: The counted operations.
        costs: Energy of integer arithmetic.

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
        else:  # operations that read no spikes read 8 bits in both
            spiking += one.effective * costs.mac_pj(8)
            quantised += once * costs.mac_pj(8)
    scale = PICO / count.samples
    return EqualInformation(bits, spiking * scale, quantised * scale)


def times_run(operation: Operation, count: Count) -> int:
    """Number of times an operation read each sample: T, or 1 if it had no time axis."""
    return count.steps if operation.rows % (count.steps * count.samples) == 0 else 1
