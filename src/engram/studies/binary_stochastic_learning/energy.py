"""What a classification by votes takes on devices of several conductances."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from engram.memristor.device import Range, taox_ramps
from engram.memristor.energy import ANALOG_PJ, FLOAT_SRAM_PJ, USUAL, Activity, inference, total_j
from engram.report import Table

DEVICES = {
    "tantalum oxide, ramps": taox_ramps().bounds,
    "tantalum oxide, device 1": Range(18.6e-6, 118.6e-6),
    "tantalum oxide, device 7": Range(8.9e-6, 150.0e-6),
}
"""Ranges of conductance of measured devices."""


def equal_accuracy(curves: Sequence[dict[str, float]]) -> int:
    """The smallest number of passes whose mean accuracy is within 1 point of that of the most.

    Args:
        curves: Accuracy on validation images by number of passes, of each run.
    """
    means = {int(n): fmean(curve[n] for curve in curves) for n in curves[0]}
    enough = means[max(means)] - 0.01
    return min(n for n, mean in means.items() if mean >= enough)


def energy_table(runs: Sequence[dict[str, Any]]) -> Table:
    """Energy of an image with one pass, and with as many as it takes.

    Args:
        runs: Of binary stochastic learning, with its curve on validation images and its activity.
    """
    enough = equal_accuracy([run["validation_curve"] for run in runs])
    networks = [[Activity(*values) for values in run["activity"]] for run in runs]
    products = sum(layer.products for layer in networks[0])
    rows: list[list[Any]] = []
    for name, bounds in DEVICES.items():
        for passes in sorted({1, enough}):
            ledgers = [inference(layers, bounds, passes) for layers in networks]
            energy_j = fmean(map(total_j, ledgers))
            reads = fmean(
                term.energy_j for terms in ledgers for term in terms if term.operation == "read"
            ) * len(networks[0])
            each_pj = 1e12 * energy_j / products
            rows.append(
                [name, passes, 1e9 * energy_j, 100 * reads / energy_j, 1e3 * each_pj,
                 FLOAT_SRAM_PJ / each_pj, ANALOG_PJ / each_pj]
            )  # fmt: skip
    shares = ", ".join(
        f"{fmean(one[i].active for one in networks) / networks[0][i].inputs:.2f}"
        for i in range(len(networks[0]))
    )
    return Table(
        "Energy",
        [
            "device",
            "passes N",
            "image (nJ)",
            "reads (%)",
            "product (fJ)",
            "times less than fp32 with SRAM",
            "than 8-bit analog",
        ],
        rows,
        f"N = {enough} is the smallest number of passes within 1 point of the most on validation "
        f"images. Reads at {USUAL.read_voltage_v} V for {1e9 * USUAL.read_time_s:.0f} ns; share of "
        f"active rows by layer: {shares}; comparators {1e15 * USUAL.comparator_j:.0f} fJ. fp32 "
        f"with SRAM: {FLOAT_SRAM_PJ:.1f} pJ a product; 8-bit analog: {ANALOG_PJ} pJ, an order of "
        "magnitude. Nothing here is a measurement of a chip.",
    )
