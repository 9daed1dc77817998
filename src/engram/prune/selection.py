"""Which weights are pruned, and how a target sparsity is divided among them."""

import difflib
import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from engram.errors import EngramError

Budget = Literal["global", "uniform", "erk"]
WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that DataParallel and torch.compile put before names."""
LAYERS = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
"""Layers whose weights are pruned where no pattern names others."""


def plain(name: str) -> str:
    """A name without the prefixes of wrappers.

    Args:
        name: The name of a weight.
    """
    for prefix in WRAPPERS:
        name = name.removeprefix(prefix)
    return name


def choose(
    model: nn.Module, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> dict[str, tuple[nn.Module, str]]:
    """Return the weights to be pruned.

    Args:
        model: The model.
        include: Patterns of names of weights or modules, such as "layers.*"; none for the weights
            of all linear and convolution layers.
        exclude: Patterns of names of weights or modules that are left dense.

    Returns:
        For each name, the module that holds the weight and its name there.

    Raises:
        EngramError: If a pattern matches nothing, nothing is left, or two modules share a weight.
    """
    held: dict[str, tuple[nn.Module, str]] = {}
    owner: dict[int, str] = {}
    default = []
    for prefix, module in model.named_modules():
        if isinstance(module, parametrize.ParametrizationList):
            continue
        own = dict(module.named_parameters(recurse=False))
        if parametrize.is_parametrized(module):
            own |= {tensor: laws.original for tensor, laws in module.parametrizations.items()}  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        for tensor, weight in own.items():
            name = plain(f"{prefix}.{tensor}" if prefix else tensor)
            held[name] = (module, tensor)
            first = owner.setdefault(id(weight), name)
            if first != name and _wanted(name, include, exclude):
                raise EngramError(
                    f"{first} and {name} are one tensor; a threshold for one would change the "
                    "other: exclude both, or give each its own"
                )
            if isinstance(module, LAYERS) and tensor == "weight":
                default.append(name)
    for pattern in (*include, *exclude):
        if not any(_matches(name, pattern) for name in held):
            near = difflib.get_close_matches(pattern, held, n=3, cutoff=0.3)
            raise EngramError(
                f"{pattern!r} matches no weight; similar names are {', '.join(near) or 'none'}"
            )
    names = [name for name in (held if include else default) if _wanted(name, include, exclude)]
    if not names:
        raise EngramError("no weight is left to prune; include more, or exclude less")
    return {name: held[name] for name in names}


def densities(
    weights: Mapping[str, Tensor], sparsity: float, budget: Budget
) -> dict[str, float] | None:
    """The share of weights that each tensor keeps.

    Args:
        weights: The weights by name.
        sparsity: The share of zeros over all of them.
        budget: global (one threshold for all), uniform (the same share everywhere), or erk
            (in proportion to the sum of the lengths of the axes over their product).

    Returns:
        The shares by name; None for global.

    Raises:
        EngramError: If there is no such budget.

    References:
        Evci et al., "Rigging the lottery", ICML 2020, for erk.
    """
    if budget not in get_args(Budget):
        raise EngramError(f"budget={budget!r}: choose one of {', '.join(get_args(Budget))}")
    if budget == "global":
        return None
    if budget == "uniform":
        return dict.fromkeys(weights, 1 - sparsity)
    sizes = {name: weight.numel() for name, weight in weights.items()}
    raw = {name: sum(weight.shape) / math.prod(weight.shape) for name, weight in weights.items()}
    dense: set[str] = set()
    while True:
        left = (1 - sparsity) * sum(sizes.values()) - sum(sizes[name] for name in dense)
        share = sum(raw[name] * sizes[name] for name in weights if name not in dense)
        factor = left / share if share else 0.0
        full = {name for name in weights if name not in dense and factor * raw[name] > 1}
        if not full:
            break
        dense |= full
    return {name: 1.0 if name in dense else factor * raw[name] for name in weights}


def quantile(magnitudes: Tensor, sparsity: float) -> float:
    """The threshold at or below which a share of magnitudes lies.

    Args:
        magnitudes: Any numbers of at least 0.
        sparsity: The share.
    """
    k = round(sparsity * magnitudes.numel())
    if k <= 0:
        return 0.0
    flat = magnitudes.detach().flatten()
    return float(flat.kthvalue(min(k, flat.numel())).values)


def sample(tensors: Sequence[Tensor], most: int | None = None) -> Tensor:
    """All numbers of some tensors, or evenly spaced ones of them if there are too many.

    Args:
        tensors: The tensors.
        most: About how many numbers are returned at most; None for all.
    """
    total = sum(tensor.numel() for tensor in tensors)
    step = 1 if most is None else max(1, math.ceil(total / most))
    return torch.cat([tensor.detach().flatten()[::step] for tensor in tensors])


def _matches(name: str, pattern: str) -> bool:
    pattern = plain(pattern)
    return fnmatch(name, pattern) or fnmatch(name, f"{pattern}.*")


def _wanted(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    chosen = not include or any(_matches(name, pattern) for pattern in include)
    return chosen and not any(_matches(name, pattern) for pattern in exclude)
