"""Recording: Traces of a model's response to stimuli, reduced on the device."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from engram.carried import Memory, repeatable
from engram.device import evaluating
from engram.errors import EngramError
from engram.layout import (
    BATCH_AXES,
    TOLERANCE,
    Followed,
    Layout,
    follow,
    moved,
    stated_axis,
)
from engram.trace import Trace

ARRANGE: dict[Layout, Callable[[Tensor], Tensor]] = {
    "time-first": lambda x: x,
    "batch-first": lambda x: x.transpose(0, 1),
    "static": lambda x: x.unsqueeze(0),
    "single": lambda x: x.unsqueeze(1),
}
"""Maps a layer's output to `(time, batch, *features)`."""


def record(
    model: nn.Module,
    batches: Iterable[Any],
    layers: Sequence[str] | type[nn.Module],
    *,
    dt_s: float = 1e-3,
    reduce: Literal["trials"] | None = None,
    layout: Layout | None = None,
) -> dict[str, Trace]:
    """Run a model in evaluation mode and record the activity of some of its layers.

    Args:
        model: The model.
        batches: The inputs of the model, one per call.
        layers: Names of modules, as in `model.named_modules()`, or a class: every module of it.
            Each must return one tensor per call, in the given `layout`.
        dt_s: Duration of one step, in seconds.
        reduce: "trials" averages over the trials, on the device, so that a Trace holds one mean
            trial; None keeps them all.
        layout: Layout of the layers' outputs: "time-first" is `(time, batch, *features)`, the
            default if None; "batch-first" is `(batch, time, *features)`; "static" is `(batch,
            *features)`, recorded as one step; "single" is `(time, *features)` of one trial. It is
            checked by running one sample of the first batch alone.

    Returns:
        A Trace (time, trial, unit) for each layer, by name: trials in the order of the batches,
        units in the order of the flattened features.

    Raises:
        ValueError: If there is no batch or no layer, the model lacks a layer, or one does not run
            exactly once per call, changes its number of steps from call to call, or has another
            layout.
    """
    stated_axis(layout, None)  # refuses an unknown layout
    if reduce not in ("trials", None):
        raise EngramError(f"reduce={reduce!r}: give 'trials', which averages over them, or None")
    arranged: Layout = layout or "time-first"
    names = _names(model, layers)
    with evaluating(model) as device, ExitStack() as hooks:
        recorders = {name: _Recorder(name, ARRANGE[arranged], reduce is not None) for name in names}
        for name, recorder in recorders.items():
            hooks.callback(model.get_submodule(name).register_forward_hook(recorder.hook).remove)
        for calls, batch in enumerate(batches, start=1):
            inputs, start = moved(batch, device), Memory(model)
            model(inputs)
            _check_pieces(recorders, calls)
            if calls == 1 and arranged != "single":
                _check_layout(model, inputs, start, recorders, arranged, layout is not None)
    if not recorders[names[0]].pieces:
        raise EngramError("there is no batch to run the model on; give at least one")
    return {
        name: Trace(_joined(recorder.pieces, reduce is not None), dt_s, source=name)
        for name, recorder in recorders.items()
    }


class _Piece(NamedTuple):
    """Activity `(time, trial, unit)` of one call, and the number of trials that it represents."""

    activity: np.ndarray
    trials: int


class _Recorder:
    """Collects the outputs of one layer in pieces, and its last raw output."""

    def __init__(self, name: str, arrange: Callable[[Tensor], Tensor], mean: bool) -> None:
        self.name, self.arrange, self.mean = name, arrange, mean
        self.pieces: list[_Piece] = []
        self.output: Tensor | None = None
        self.keeping = True

    def hook(self, _module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
        self.output = output
        if self.keeping:
            self.pieces.append(self._piece(output))

    def _piece(self, output: Any) -> _Piece:
        if not isinstance(output, Tensor):
            raise EngramError(
                f"layer {self.name!r} puts out a {type(output).__name__}: only a layer that puts "
                "out one tensor can be recorded"
            )
        x = self.arrange(output) if output.ndim else output
        if x.ndim < 2:
            raise EngramError(
                f"layer {self.name!r} puts out shape {tuple(output.shape)}, which has no time and "
                f"batch axis; state its layout"
            )
        activity = x.reshape(*x.shape[:2], x.shape[2:].numel())
        if self.mean:
            activity = activity.mean(1, keepdim=True, dtype=torch.float32)
        elif activity.dtype == torch.bfloat16:  # unknown to NumPy
            activity = activity.float()
        return _Piece(activity.cpu().numpy(), x.shape[1])


def _check_layout(
    model: nn.Module,
    inputs: Any,
    start: Memory,
    recorders: Mapping[str, _Recorder],
    layout: Layout,
    stated: bool,
) -> None:
    """Raise ValueError if the samples of a layer are not along the axis given by the layout."""
    expected = BATCH_AXES[layout]
    found = _sample_axes(model, inputs, start, recorders, expected)
    for name, follows in found.items():
        axes = {one.axis for one in follows}
        if expected in axes or not axes:
            continue
        said = "stated" if stated else "assumed because none was stated"
        if any(one.entries > 1 for one in follows):
            reason = (
                "its samples are folded with another axis, as inside OverTime; record the layer "
                "around it"
            )
        elif 0 in axes:
            reason = (
                "its samples are along axis 0; state layout='static' if it has no time axis, "
                "layout='batch-first' if time is axis 1"
            )
        else:
            reason = f"its samples are along axis {min(axes)}; state layout='time-first' for axis 1"
        raise EngramError(f"layer {name!r} does not return {layout!r}, the layout {said}: {reason}")


def _sample_axes(
    model: nn.Module,
    inputs: Any,
    start: Memory,
    recorders: Mapping[str, _Recorder],
    expected: int | None,
) -> dict[str, list[Followed]]:
    """The axis of the samples in each layer's output, for every possible axis in the inputs."""
    found: dict[str, list[Followed]] = {name: [] for name in recorders}

    def outputs() -> list[Tensor]:
        return [x.output for x in recorders.values() if x.output is not None]

    whole = outputs()
    for recorder in recorders.values():
        recorder.keeping = False
    with repeatable(model, start) as run:

        def call(batch: Any) -> list[Tensor]:
            run(batch)
            return outputs()

        for axis in (1, 0) if expected == 1 else (0, 1):
            for name, one in zip(recorders, follow(call, inputs, axis, whole), strict=False):
                if one is not None and one.difference <= TOLERANCE:
                    found[name].append(one)
            if all(any(one.axis == expected for one in follows) for follows in found.values()):
                break
    for recorder in recorders.values():
        recorder.keeping = True
    return found


def _joined(pieces: list[_Piece], mean: bool) -> np.ndarray:
    activity = [piece.activity for piece in pieces]
    if not mean:
        return np.concatenate(activity, axis=1)
    return np.average(activity, axis=0, weights=[piece.trials for piece in pieces])


def _names(model: nn.Module, layers: Sequence[str] | type[nn.Module]) -> Sequence[str]:
    known = dict(model.named_modules())
    if isinstance(layers, type):
        names = [name for name, module in known.items() if isinstance(module, layers)]
    else:
        names = layers
    check_named(known, names)
    if not names:
        raise EngramError(f"layers={layers!r} contains no layer of the model; name at least one")
    return names


def check_named(known: Mapping[str, nn.Module], names: Iterable[str]) -> None:
    """Refuse names of layers that a model does not have.

    Args:
        known: The modules of the model, by name.
        names: The names.

    Raises:
        ValueError: If one is unknown.
    """
    for name in names:
        if name not in known:
            raise EngramError(
                f"the model has no layer {name!r}: choose from {', '.join(filter(None, known))}"
            )


def _check_pieces(recorders: Mapping[str, _Recorder], calls: int) -> None:
    for name, recorder in recorders.items():
        kept = recorder.pieces
        if len(kept) != calls:
            raise EngramError(
                f"layer {name!r} ran {len(kept)} times in {calls} calls of the model; only a "
                f"layer that runs once per call can be recorded"
            )
        first, last = kept[0].activity, kept[-1].activity
        if first.shape[::2] != last.shape[::2]:
            raise EngramError(
                f"layer {name!r} put out {first.shape[::2]} (steps, units), then "
                f"{last.shape[::2]}: give batches of one length"
            )
