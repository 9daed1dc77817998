"""Recording: a model and its stimuli become Traces, reduced on the device before they leave it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from engram.trace import Trace


def record(
    model: nn.Module,
    batches: Iterable[Any],
    layers: Sequence[str] | type[nn.Module],
    *,
    dt_s: float = 1e-3,
    reduce: Literal["trials"] | None = None,
) -> dict[str, Trace]:
    """Run a model in evaluation mode and keep the activity of some of its layers.

    Args:
        model: The model.
        batches: What the model takes, call by call; each has `.to(device)`, as a tensor does.
        layers: Names of modules, as `model.named_modules()` gives them, or a class: every
            module of it. Each puts out one tensor `(time, batch, *features)` a call.
        dt_s: Duration of one step, in seconds.
        reduce: "trials" averages over the trials, on the device, so that a Trace holds one mean
            trial; None keeps them all.

    Returns:
        A Trace (time, trial, unit) for each layer, by name: trials in the order of the batches,
        units in the order of the flattened features.

    Raises:
        ValueError: If there is no batch or no layer, the model lacks a layer, or one does not run
            exactly once a call or changes its number of steps from call to call.
    """
    names = _names(model, layers)
    pieces: dict[str, list[_Piece]] = {name: [] for name in names}
    with evaluating(model) as device, ExitStack() as hooks:
        for name in names:
            hook = _keep(pieces[name], reduce is not None)
            hooks.callback(model.get_submodule(name).register_forward_hook(hook).remove)
        for calls, batch in enumerate(batches, start=1):
            model(batch.to(device))
            _check_pieces(pieces, calls)
    if not pieces[names[0]]:
        raise ValueError("there is no batch to run the model on: give at least one")
    return {
        name: Trace(_joined(pieces[name], reduce is not None), dt_s, source=name) for name in names
    }


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """Inside, the model is in evaluation mode and builds no graph; yields where its weights are.

    Args:
        model: The model; a model without parameters counts as being on the CPU.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield next((weight.device for weight in model.parameters()), torch.device("cpu"))
    finally:
        model.train(was_training)


class _Piece(NamedTuple):
    """Activity `(time, trial, unit)` of one call, and how many trials it stands for."""

    activity: np.ndarray
    trials: int


def _keep(pieces: list[_Piece], mean: bool) -> Callable[[nn.Module, tuple[Any, ...], Tensor], None]:
    def hook(_module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
        activity = output.reshape(*output.shape[:2], output.shape[2:].numel())
        if mean:
            activity = activity.mean(1, keepdim=True, dtype=torch.float32)
        elif activity.dtype == torch.bfloat16:  # unknown to NumPy
            activity = activity.float()
        pieces.append(_Piece(activity.cpu().numpy(), output.shape[1]))

    return hook


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
    for name in names:
        if name not in known:
            raise ValueError(
                f"the model has no layer {name!r}: choose from {', '.join(filter(None, known))}"
            )
    if not names:
        raise ValueError(f"layers={layers!r} names no layer of the model: name at least one")
    return names


def _check_pieces(pieces: dict[str, list[_Piece]], calls: int) -> None:
    for name, kept in pieces.items():
        if len(kept) != calls:
            raise ValueError(
                f"layer {name!r} ran {len(kept)} times in {calls} calls of the model: "
                "only a layer that runs once a call can be recorded"
            )
        first, last = kept[0].activity, kept[-1].activity
        if first.shape[::2] != last.shape[::2]:
            raise ValueError(
                f"layer {name!r} put out {first.shape[::2]} (steps, units), then "
                f"{last.shape[::2]}: give batches of one length"
            )
