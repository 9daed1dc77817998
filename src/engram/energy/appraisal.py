"""The operations of a vision model on images, whether it is spike-driven, and its energy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, final

from torch import Tensor, nn

from engram.energy import joules
from engram.energy.joules import FP32, Arithmetic, Memory, Quantised
from engram.energy.verdict import CUSTOMARY, Finding, Verdict, verify
from engram.report import Scalar, Table
from engram.series import Series

MICRO = 1e6
"""Microjoules per joule."""
BARS = 16
"""Maximum number of bars in a chart."""


@final
@dataclass(frozen=True)
class Costs:
    """Energy costs of operations and moved bytes.

    Args:
        arithmetic: Costs of multiplications and additions.
        memory: Costs of moved bytes.
        quantised: Costs of integer arithmetic, for the comparison at equal information.
    """

    arithmetic: Arithmetic = FP32
    memory: Memory = field(default_factory=Memory)
    quantised: Quantised = field(default_factory=Quantised)


def appraise(
    model: nn.Module,
    batches: Iterable[Tensor],
    *,
    allow: Sequence[str] = CUSTOMARY,
    costs: Costs | None = None,
) -> dict[str, Any]:
    """Run a model and return its operations and energy as JSON-compatible data.

    Args:
        model: The model.
        batches: Its input batches.
        allow: As in `verify`.
        costs: Energy costs; None uses the defaults.

    Returns:
        `operations` and `energy_j` per sample, the `bits` of equal information, the `layers`, one
        row each, the firing `rates` by layer of neurons, and the `verdict`.

    Raises:
        ValueError: As in `verify`.
    """
    costs = costs or Costs()
    verdict = verify(model, batches, allow=allow, arithmetic=costs.arithmetic)
    found, arithmetic = verdict.count, costs.arithmetic
    equal = joules.equal_information(found, costs.quantised)
    logic = joules.compute_j(found, arithmetic) + joules.neurons_j(found, arithmetic)
    return {
        "operations": found.neurobench()
        | {"nominal": found.nominal, "updates": found.membrane_updates},
        "energy_j": {
            "compute": joules.compute_j(found, arithmetic),
            "paper": joules.paper_j(found, arithmetic),
            "neurons": joules.neurons_j(found, arithmetic),
            "memory": logic + joules.memory_j(found, costs.memory),
            "events": logic + joules.memory_j(found, costs.memory, reuse=False),
            "spiking": equal.spiking_j,
            "quantised": equal.quantised_j,
        },
        "bits": equal.bits,
        "steps": found.steps,
        "layers": [
            {
                "name": one.name,
                "kinds": one.kinds,
                "rate": one.left.rate,
                "dense": one.dense / found.samples,
                "effective": one.effective / found.samples,
                "adds": one.gate is not None,
                "energy_j": joules.operation_j(one, arithmetic) / found.samples,
            }
            for one in found.synaptic
        ],
        "rates": {layer.path: layer.rate for layer in found.activations},
        "verdict": plain_verdict(verdict),
    }


def plain_verdict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON-compatible data."""
    return {
        "spike_driven": bool(verdict),
        "offences": [asdict(one) for one in verdict.offences],
        "allowed": [asdict(one) for one in verdict.allowed],
        "silent": list(verdict.silent),
        "leaks": len(verdict.leaks),
        "repeatable": verdict.repeatable,
        "unseen": list(verdict.unseen),
        "alone": verdict.alone,
    }


def scalars(found: Mapping[str, Any]) -> list[Scalar]:
    """Operations and energy per sample, as scalars of a report."""
    operations, energy = found["operations"], found["energy_j"]
    sparsity = operations["ActivationSparsity"]
    named = {
        "multiplications (Effective_MACs)": (operations["Effective_MACs"], "per sample"),
        "additions (Effective_ACs)": (operations["Effective_ACs"], "per sample"),
        "products if no factor were 0 (Dense)": (operations["Dense"], "per sample"),
        "membrane updates": (operations["updates"], "per sample"),
        "zeros among the activations": (None if sparsity is None else 100 * sparsity, "%"),
        "zeros among the weights": (100 * operations["ConnectionSparsity"], "%"),
        "footprint": (operations["Footprint"], "bytes"),
        "energy, arithmetic alone": (MICRO * energy["compute"], "µJ"),
        "energy with membranes and memory": (MICRO * energy["memory"], "µJ"),
        "the same, with spikes processed one by one": (MICRO * energy["events"], "µJ"),
        "energy by the papers' formula": (MICRO * energy["paper"], "µJ"),
        "energy with integer arithmetic": (MICRO * energy["spiking"], "µJ"),
        f"that of the {found['bits']}-bit network at equal information": (
            MICRO * energy["quantised"],
            "µJ",
        ),
    }
    return [Scalar(name, value, unit) for name, (value, unit) in named.items()]


def layer_table(found: Mapping[str, Any]) -> Table:
    """Table of all operations that ran, with their inputs and energy."""
    return Table(
        "Operations per sample",
        ["operation", "reads", "nonzero (%)", "dense (M)", "MAC (M)", "AC (M)", "µJ"],
        [
            [
                layer["name"],
                layer["kinds"],
                100 * layer["rate"],
                layer["dense"] / 1e6,
                None if layer["adds"] else layer["effective"] / 1e6,
                layer["effective"] / 1e6 if layer["adds"] else None,
                MICRO * layer["energy_j"],
            ]
            for layer in found["layers"]
        ],
        "In the order of the first run. Nonzero: of the left operand, the input of a layer. MAC "
        "and AC: products without a zero factor, excluding padding and zero weights; with a "
        "binary operand they are additions. Energy: arithmetic alone.",
    )


def verdict_table(found: Mapping[str, Any]) -> Table:
    """Table of the operations that read non-spike values, excepted or not."""
    verdict = found["verdict"]
    findings = [Finding(**one) for one in (*verdict["offences"], *verdict["allowed"])]
    return Table(
        "Operations that read non-spike values",
        ["operation", "reads", "share of the energy (%)", "why", "excepted by"],
        [
            [one.operation, one.kinds, 100 * one.share, one.why, one.allowed_by or None]
            for one in findings
        ],
        "An operation without an exception violates spike-driven computation.",
    )


def verdict_text(found: Mapping[str, Any]) -> str:
    """The verdict in one or two sentences."""
    verdict = found["verdict"]
    offences, silent = verdict["offences"], verdict["silent"]
    share = sum(one["share"] for one in offences)
    said = ["Spike-driven." if verdict["spike_driven"] else "Not spike-driven."]
    if offences:
        said.append(
            f"{len(offences)} operations, {share:.0%} of the energy, read non-spike values "
            f"without an exception."
        )
    if verdict["leaks"]:
        said.append(f"The outputs of {verdict['leaks']} samples depend on the rest of the batch.")
    if not verdict["repeatable"]:
        said.append("Repeated calls gave different outputs: state is not reset.")
    if verdict["unseen"]:
        said.append(f"Operators not observed: {', '.join(verdict['unseen'])}.")
    if silent:
        said.append(f"{len(silent)} operations received no spikes at all and were not judged.")
    return " ".join(said)


def answer_text(model: str, found: Mapping[str, Any]) -> str:
    """The verdict and the energy per sample in one sentence."""
    energy = found["energy_j"]
    driven = "is spike-driven" if found["verdict"]["spike_driven"] else "is not spike-driven"
    return (
        f"{model} {driven}, and a sample takes {MICRO * energy['compute']:.3g} µJ of arithmetic, "
        f"{MICRO * energy['memory']:.3g} µJ with membranes and memory."
    )


def energy_series(found: Mapping[str, Any], name: str = "energy") -> Series:
    """Energy of the arithmetic by part of the network, for a chart."""
    parts = grouped([layer["name"].partition("/")[0] for layer in found["layers"]])
    energy: dict[str, float] = {}
    for part, layer in zip(parts, found["layers"], strict=True):
        energy[part] = energy.get(part, 0.0) + MICRO * layer["energy_j"]
    return Series(name, list(energy), list(energy.values()), axis="part", unit="µJ")


def grouped(paths: Sequence[str]) -> list[str]:
    """Truncate the paths to the depth at which at most `BARS` are distinct, at least one name."""
    depth = max(path.count(".") for path in paths) + 1
    while True:
        cut = [".".join(path.split(".")[:depth]) for path in paths]
        if len(set(cut)) <= BARS or depth == 1:
            return cut
        depth -= 1
