"""Optimizers, and the settings of each parameter: decay, layer-wise rate, freezing."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from typing import Any, Literal

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from engram.errors import EngramError

OptimizerName = Literal["adamw", "adam", "sgd"]


def make_optimizer(name: OptimizerName, groups: list[dict[str, Any]], *, lr: float) -> Optimizer:
    """Make an optimizer from groups of parameters.

    Args:
        name: "adamw", "adam", or "sgd" with a momentum of 0.9.
        groups: From `parameter_groups`.
        lr: Learning rate of the groups that name none.
    """
    if name == "sgd":
        return SGD(groups, lr=lr, momentum=0.9)
    return {"adamw": AdamW, "adam": Adam}[name](groups, lr=lr)


def parameter_groups(
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    layer_decay: float = 1.0,
    frozen: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Group the trained parameters of a model by weight decay and learning rate.

    Parameters with at most one axis (biases, norms, thresholds) and those of modules whose class
    sets `weight_decay = False`, as neurons do, are not decayed.

    Args:
        model: The model; frozen parameters get `requires_grad=False`.
        lr: Learning rate of the last block.
        weight_decay: Decay of all other parameters.
        layer_decay: Factor of the learning rate from a block to the one before it. The blocks are
            the children of the model in order, with the members of its lists and sequences.
        frozen: Patterns of names of parameters that are not trained, such as "stem.*".

    Returns:
        Groups for torch's optimizers, each with its `names`.

    Raises:
        ValueError: If a pattern matches no parameter, or nothing remains to be trained.

    References:
        Bao et al., "BEiT", arXiv 2106.08254, for the layer-wise decay.
    """
    names = [name for name, _ in model.named_parameters()]
    for pattern in frozen:
        if not any(fnmatch(name, pattern) for name in names):
            raise EngramError(
                f"frozen={pattern!r} matches no parameter: choose from {', '.join(names)}"
            )
    blocks = [prefix for prefix, _ in _blocks(model)]
    exempt = set(_exempt(model))
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if any(fnmatch(name, pattern) for pattern in frozen):
            parameter.requires_grad_(False)
        if not parameter.requires_grad:
            continue
        after = len(blocks) - 1 - _depth(name, blocks)
        rate = lr * layer_decay**after
        decay = 0.0 if name in exempt or parameter.ndim <= 1 else weight_decay
        group = groups.setdefault(
            (rate, decay), {"params": [], "names": [], "lr": rate, "weight_decay": decay}
        )
        group["params"].append(parameter)
        group["names"].append(name)
    if not groups:
        raise EngramError("every parameter is frozen: leave at least one to be trained")
    return list(groups.values())


def _exempt(model: nn.Module) -> Iterator[str]:
    """Names of the parameters of modules whose class is not decayed."""
    for prefix, module in model.named_modules():
        if getattr(type(module), "weight_decay", True) is False:
            for name, _ in module.named_parameters(prefix):
                yield name


def _blocks(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, child in model.named_children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from ((f"{name}.{i}", member) for i, member in child.named_children())
        else:
            yield name, child


def _depth(name: str, blocks: Sequence[str]) -> int:
    """The block of a parameter; one of the model itself counts as being in the first."""
    return next((i for i, block in enumerate(blocks) if name.startswith(f"{block}.")), 0)
