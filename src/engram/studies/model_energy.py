"""Which operations does a model compute on images, is it spike-driven, and at what energy?"""

import inspect
import math
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, final

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from tyro.conf import Positional, arg

from engram import energy
from engram.device import choose_device
from engram.energy import appraisal
from engram.errors import EngramError
from engram.journal import Journal
from engram.report import Figure, Report
from engram.study import check_at_least
from engram.train import batches
from engram.train.pictures import Pictures, as_batch, read_pictures
from engram.vision import CUSTOMARY, PRESETS, load_checkpoint

MOST = 1_000_000
"""Larger numbers of pixels, images and steps are mistakes."""


@final
@dataclass(frozen=True)
class ModelEnergy:
    """Count a model's operations on test images, check whether it is spike-driven, cost it.

    Args:
        model: A preset of engram.vision, such as spikingformer_cifar_4_256, or your own
            MODULE:FUNCTION, which takes num_classes and in_channels.
        data: A dataset of images: a name of the catalogue, imagefolder:DIR or parquet:DIR.
        checkpoint: Weights of the model; None uses random weights, with batch-norm statistics from
            training images.
        size: Side in pixels to which images are scaled; None keeps their size.
        samples: Number of test images to run, chosen at random.
        batch: Images per call.
        steps: Number of time steps per image; None uses the model's default.
        allow: Operations that may read non-spike values; None allows the usual ones: the first
            convolution, the head, and the second product of the attention.
        arithmetic: Number format for the costs of operations (45 nm, Horowitz, ISSCC 2014).
        sram_pj: Energy per byte to or from SRAM, in picojoules.
        dram_pj: Energy per byte from DRAM, in picojoules.
        seed: Seed of the weights.
        device: Where to run, such as cpu or cuda; None selects a CUDA device if there is one.
    """

    name: ClassVar[str] = "energy"
    title: ClassVar[str] = "Operations and energy of a model"
    question: ClassVar[str] = "What energy does a sample take, and does every weight read spikes?"

    model: Annotated[Positional[str], arg(metavar="MODEL")]
    data: str = "digits"
    checkpoint: Path | None = None
    size: int | None = None
    samples: int = 64
    batch: int = 16
    steps: int | None = None
    allow: tuple[str, ...] | None = None
    arithmetic: Literal["fp32", "fp16", "int8"] = "fp32"
    sram_pj: float = 2.5
    dram_pj: float = 162.5
    seed: int = 0
    device: str | None = None

    def __post_init__(self) -> None:
        check_at_least(1, size=self.size, samples=self.samples, batch=self.batch, steps=self.steps)
        for name in ("size", "samples", "batch", "steps"):
            if (getattr(self, name) or 1) > MOST:
                raise EngramError(f"{name} is {getattr(self, name)}: it must be at most {MOST:,}")
        for name in ("sram_pj", "dram_pj"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise EngramError(f"{name} is {value}: give an energy in picojoules, such as 2.5")

    def run(self, report: Report, journal: Journal) -> None:
        """Run the model and report.

        Raises:
            ValueError: The model does not exist, or the data, the checkpoint or the size do not
                fit.
        """
        find_model(self.model)
        if self.checkpoint is not None and not self.checkpoint.is_file():
            raise EngramError(f"checkpoint {self.checkpoint} is not a file; name a file of weights")
        choose_device(self.device)
        pictures = read_pictures(
            self.data,
            size=self.size,
            limit=1000,
            validation=0.5,
            seed=self.seed,
            tested=self.samples,
        )
        report.provenance.data.update(pictures.source.sha256)
        journal.expect(1)
        found = journal.once(self.model, partial(self._appraise, pictures))
        report.answer(appraisal.answer_text(self.model, found))
        report.note(f"{self.model}: {appraisal.verdict_text(found)}")
        for note in self._describe(pictures):
            report.note(note)
        report.add(*appraisal.scalars(found))
        report.add(appraisal.layer_table(found), appraisal.verdict_table(found))
        report.add(
            appraisal.energy_series(found),
            Figure("Energy by part", ["energy"], "bar", caption="Arithmetic only, per sample."),
        )

    def _appraise(self, pictures: Pictures) -> dict[str, Any]:
        arithmetic = {"fp32": energy.FP32, "fp16": energy.FP16, "int8": energy.INT8}
        costs = appraisal.Costs(
            arithmetic[self.arithmetic], energy.Memory(self.sram_pj, self.dram_pj)
        )
        model = self._build(pictures).to(choose_device(self.device))
        found = appraisal.appraise(
            model,
            batches(pictures.test.inputs, self.batch, as_batch),
            allow=CUSTOMARY if self.allow is None else self.allow,
            costs=costs,
        )
        if not found["layers"]:
            raise EngramError(f"{self.model} computes no product or sum; name a model with layers")
        return found

    def _build(self, pictures: Pictures) -> nn.Module:
        """The model, with its weights."""
        settings: dict[str, Any] = {
            "num_classes": len(pictures.source.classes),
            "in_channels": pictures.train.inputs.shape[1],
        }
        if self.steps is not None:
            settings["steps"] = self.steps
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(self.seed)
            model = call_model(self.model, settings)
        if self.checkpoint is not None:
            load_checkpoint(model, self.checkpoint)
        else:
            settle(model, pictures.train.inputs[: 2 * self.batch])
        return model

    def _describe(self, pictures: Pictures) -> list[str]:
        source = pictures.source
        height, width = pictures.test.inputs.shape[-2:]
        weights = (
            f"The weights are those of {self.checkpoint.name}."
            if self.checkpoint
            else "The weights are random, with batch-norm statistics from training images, so "
            "quantities that depend on firing are not representative of a trained model."
        )
        return [
            weights,
            f"Data: {source.name}, {len(pictures.test.labels)} test images of {height} × {width}. "
            f"Licence: {source.licence}.",
            *(f"Data: {note}." for note in source.notes),
            f"Costs: 45 nm, {self.arithmetic} (Horowitz, ISSCC 2014); memory {self.sram_pj:g} "
            f"pJ per byte of SRAM, {self.dram_pj:g} of DRAM. No hardware was measured.",
            "With memory: each weight is read once from DRAM, each activation is written to and "
            "read from SRAM, and so is each membrane at every step, which also takes a MAC. One "
            "by one: each product also fetches its weight and updates its sum. The network at "
            "equal information has the same layers, activations with as many bits as the count of "
            "T spikes needs, and both networks have 8-bit weights (arXiv 2409.08290). Batch norm "
            "folds into the convolutions and is not counted.",
        ]


def find_model(name: str) -> Any:
    """Return the function that makes a model: a preset, or MODULE:FUNCTION.

    Raises:
        ValueError: The preset, module or function does not exist.
    """
    module, colon, function = name.partition(":")
    if not colon:
        if name in PRESETS:
            return PRESETS[name]
        near = get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(PRESETS)}"
        raise EngramError(f"there is no preset {name!r}; {hint} Or give MODULE:FUNCTION")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise EngramError(f"{name!r} is not an importable function: {error}") from error
    if not callable(found):
        raise EngramError(f"{name!r} is not a function; name one that makes a model")
    return found


def call_model(name: str, settings: dict[str, Any]) -> nn.Module:
    """Make a model.

    Args:
        name: A preset, or MODULE:FUNCTION.
        settings: The arguments of the function by name.

    Raises:
        ValueError: The function does not take these arguments, or makes something else.
    """
    function, given = find_model(name), ", ".join(settings)
    try:
        inspect.signature(function).bind(**settings)
    except (TypeError, ValueError) as error:
        raise EngramError(f"{name} cannot be called with {given}: {error}") from error
    model = function(**settings)
    if not isinstance(model, nn.Module):
        raise EngramError(f"{name} makes a {type(model).__name__}; it must make a torch.nn.Module")
    return model


def settle(model: nn.Module, pictures: Any) -> None:
    """Set the batch-norm statistics of a model from these images."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(pictures)
    model.eval()
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
