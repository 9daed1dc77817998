"""Trained layers as crossbars: weights become pairs of programmed conductances, and back."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.errors import EngramError
from engram.memristor.device.device import Device, drawn_scales
from engram.memristor.functional import Address, Purpose
from engram.memristor.kernel.pulse import program


class Programming(NamedTuple):
    """How conductances are set.

    Attributes:
        tolerance: Largest distance of a conductance from its target, as a share of the range, at
            which pulses end; None sets the targets themselves.
        most: The largest number of pulses of a cell.
        rows: Rows of an array; a layer with more inputs takes several, each with scales of its own.
        seed: Seed of the variation between devices and of the noise of pulses.
    """

    tolerance: float | None = 0.01
    most: int = 1000
    rows: int = 512
    seed: int = 0

    def check(self) -> None:
        """Refuse settings that are out of range.

        Raises:
            EngramError: If one is.
        """
        if self.tolerance is not None and not 0 < self.tolerance < 1:
            raise EngramError(
                f"tolerance={self.tolerance}: give a share of the range between 0 and 1, such as "
                "0.01, or None to set the conductances themselves"
            )
        if min(self.most, self.rows) < 1:
            raise EngramError(f"most={self.most}, rows={self.rows}: give at least 1")


class Written(NamedTuple):
    """A layer that was programmed.

    Attributes:
        name: Its name in the model.
        cells: Number of cells, two for each weight.
        arrays: Number of arrays that hold its rows.
        pulses: Pulses on all cells.
        missed: Cells that did not come within the tolerance.
        worst: Largest distance from a target, as a share of the range.
    """

    name: str
    cells: int
    arrays: int
    pulses: int
    missed: int
    worst: float


class Converted(NamedTuple):
    """A model on crossbars.

    Attributes:
        model: A copy of the model, whose layers read conductances.
        written: The layers that were programmed.
        left: Names of modules with parameters of their own that were not converted.
    """

    model: nn.Module
    written: list[Written]
    left: list[str]


class Crossbar(nn.Module, ABC):
    """A layer whose weights are differences of conductances.

    Args:
        weight: Weights, outputs first.
        bias: Added digitally to the outputs.
        device: The device of every cell.
        programming: How conductances are set.
        number: Number of the layer, of which the draws depend.
    """

    cells: Tensor
    scales: Tensor

    def __init__(
        self, weight: Tensor, bias: Tensor | None, device: Device, programming: Programming,
        number: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.device_name = device.name
        self.shape = weight.shape
        self.rows = programming.rows
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        flat = weight.detach().flatten(1).double()
        if not flat.isfinite().all():
            raise EngramError("a weight is not finite")
        parts = flat.split(self.rows, dim=1)
        scales = torch.stack([part.abs().amax(1) for part in parts])
        self.register_buffer("scales", torch.where(scales > 0, scales, torch.ones_like(scales)))
        share = flat / self._spread(flat.shape[1])
        targets = torch.stack([share.clamp(min=0), (-share).clamp(min=0)]).numpy()
        found, self.pulses = _programmed(targets, device, programming, number)
        distance = np.abs(found - targets)
        self.worst = float(distance.max(initial=0.0))
        self.missed = int((distance > (programming.tolerance or 0.0)).sum())
        self.register_buffer("cells", torch.from_numpy(found))

    def _spread(self, inputs: int) -> Tensor:
        """The scale of each weight, (output, input)."""
        return self.scales.T.repeat_interleave(self.rows, 1)[:, :inputs]

    @property
    def weight(self) -> Tensor:
        """The weights that the conductances stand for, in the shape of the layer's."""
        difference = self.cells[0] - self.cells[1]
        return (difference * self._spread(difference.shape[1])).float().view(self.shape)

    @abstractmethod
    def restored(self) -> nn.Module:
        """An ordinary layer with these weights."""

    def get_extra_state(self) -> Any:
        """The name of the device, which a checkpoint keeps."""
        return self.device_name

    def set_extra_state(self, state: Any) -> None:
        """Refuse the conductances of another device.

        Raises:
            EngramError: If they are.
        """
        if state != self.device_name:
            raise EngramError(
                f"the conductances are of the device {state!r}, and this crossbar has "
                f"{self.device_name!r}; convert the model for the same device first"
            )


@final
class CrossbarLinear(Crossbar):
    """A linear layer on a crossbar."""

    def forward(self, x: Tensor) -> Tensor:
        """The sums of `(…, input)`."""
        return functional.linear(x, self.weight.to(x.dtype), self.bias)

    def restored(self) -> nn.Module:
        """A linear layer."""
        outputs, inputs = self.shape
        return _filled(nn.Linear(inputs, outputs, self.bias is not None), self)


@final
class CrossbarConv2d(Crossbar):
    """A convolution on a crossbar, which every place reads in turn."""

    def __init__(self, layer: nn.Conv2d, *settings: Any) -> None:
        super().__init__(layer.weight, layer.bias, *settings)
        self.settings: dict[str, Any] = {
            "stride": layer.stride,
            "padding": layer.padding,
            "dilation": layer.dilation,
            "groups": layer.groups,
        }

    def forward(self, x: Tensor) -> Tensor:
        """The sums of `(batch, channel, height, width)`."""
        return functional.conv2d(x, self.weight.to(x.dtype), self.bias, **self.settings)

    def restored(self) -> nn.Module:
        """A convolution."""
        outputs, inputs, height, width = self.shape
        layer = nn.Conv2d(
            inputs * self.settings["groups"],
            outputs,
            (height, width),
            bias=self.bias is not None,
            **self.settings,
        )
        return _filled(layer, self)


def convert(
    model: nn.Module,
    device: Device,
    programming: Programming = Programming(),  # noqa: B008
    exclude: Sequence[str] = (),
) -> Converted:
    """Map linear and convolutional layers to crossbars, wherever they are in a model.

    A weight is the difference of two cells, of which one stays at the lowest conductance; its
    scale is the largest weight of its column within an array. Cells are pulsed and read until they
    are within the tolerance.

    Args:
        model: The model, which is not changed.
        device: The device of every cell.
        programming: How conductances are set.
        exclude: Names of modules that stay as they are, with all that is in them.

    Raises:
        EngramError: If nothing can be converted, a name to exclude is unknown, a weight is not
            finite, or a setting is out of range.
    """
    device.check()
    programming.check()
    found = copy.deepcopy(model)
    modules = dict(found.named_modules())
    for name in exclude:
        if name not in modules:
            near = get_close_matches(name, modules, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise EngramError(f"exclude: the model has no module {name!r}{hint}")
    inside = tuple(f"{name}." for name in exclude)
    written: list[Written] = []
    left: list[str] = []
    for name, layer in modules.items():
        chosen = name not in exclude and not name.startswith(inside)
        crossbar = _crossbar(layer, device, programming, len(written)) if chosen else None
        if crossbar is not None:
            found = _replaced(found, name, crossbar)
            arrays = len(crossbar.scales)
            cells = crossbar.cells.numel()
            written.append(
                Written(name, cells, arrays, crossbar.pulses, crossbar.missed, crossbar.worst)
            )
        elif next(layer.parameters(recurse=False), None) is not None:
            left.append(name)
    if not written:
        raise EngramError(
            "the model has no layer to convert; give one with nn.Linear or nn.Conv2d that is not "
            f"excluded. With parameters it has {', '.join(left) or 'nothing'}"
        )
    return Converted(found, written, left)


def convert_back(model: nn.Module) -> nn.Module:
    """A copy of a converted model with ordinary layers, whose weights are the conductances'.

    Args:
        model: A model with crossbars.

    Raises:
        EngramError: If it has none.
    """
    found = copy.deepcopy(model)
    crossbars = {
        name: layer for name, layer in found.named_modules() if isinstance(layer, Crossbar)
    }
    if not crossbars:
        raise EngramError("the model has no crossbar; give one that convert returned")
    for name, layer in crossbars.items():
        found = _replaced(found, name, layer.restored())
    return found


def _crossbar(
    layer: nn.Module, device: Device, programming: Programming, number: int
) -> Crossbar | None:
    if type(layer) is nn.Linear:
        return CrossbarLinear(layer.weight, layer.bias, device, programming, number)
    if type(layer) is nn.Conv2d and layer.padding_mode == "zeros":
        return CrossbarConv2d(layer, device, programming, number)
    return None


def _replaced(model: nn.Module, name: str, layer: nn.Module) -> nn.Module:
    """The model with a module in the place of that name, or the module itself."""
    if not name:
        return layer
    model.set_submodule(name, layer)
    return model


def _filled(layer: nn.Module, crossbar: Crossbar) -> nn.Module:
    values = {"weight": crossbar.weight}
    if crossbar.bias is not None:
        values["bias"] = crossbar.bias.detach()
    layer.load_state_dict(values)
    return layer.train(crossbar.training)


def _programmed(
    targets: np.ndarray, device: Device, programming: Programming, number: int
) -> tuple[np.ndarray, int]:
    """Conductances of cells that start at the lowest, and the pulses that they took."""
    if programming.tolerance is None:
        return targets, 0
    generator = np.random.default_rng((programming.seed, number))
    flat = targets.ravel()
    scales = drawn_scales(device, flat.shape, generator)
    cells, pulses = np.zeros_like(flat), np.empty(flat.size, np.int64)
    stream = np.uint64(Address(programming.seed, number).stream(Purpose.PULSE))
    program(
        flat, cells, scales, device.rise, device.fall, programming.tolerance, programming.most,
        np.uint64(programming.seed), stream, pulses,
    )  # fmt: skip
    return cells.reshape(targets.shape), int(pulses.sum())
