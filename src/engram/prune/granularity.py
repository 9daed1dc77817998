"""What is pruned as one: a weight, a block, a channel, a neuron, or all but N of M neighbours.

The magnitude of a group is its root mean square, so that one threshold serves groups of any size.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from engram.errors import EngramError

Sizes = Callable[[Tensor], Tensor]
"""The magnitude of the group of each weight, in a shape that broadcasts to the weight."""


class Granularity(NamedTuple):
    """How weights form groups.

    Attributes:
        name: weight, channel, neuron, block:B or N:M.
        sizes: The magnitudes of the groups; None where each weight is a group.
        kept: N, for N:M; else 0.
        block: Length of a block, or M; else 1.
    """

    name: str
    sizes: Sizes | None
    kept: int = 0
    block: int = 1


def granularity(name: str) -> Granularity:
    """Return a granularity by name.

    Args:
        name: weight; channel (all weights of an output); neuron (all weights that read an input);
            block:B (B neighbouring inputs of an output); or N:M (of M neighbouring inputs of an
            output, at least M − N are zero).

    Raises:
        EngramError: If there is no such granularity.
    """
    if name == "weight":
        return Granularity(name, None)
    if name in ("channel", "neuron"):
        return Granularity(name, partial(_along, axis=0 if name == "channel" else 1))
    if found := re.fullmatch(r"block:(\d+)", name):
        block = int(found[1])
        if block > 0:
            return Granularity(name, partial(_blocks, block=block), block=block)
    if found := re.fullmatch(r"(\d+):(\d+)", name):
        kept, of = int(found[1]), int(found[2])
        if 0 < kept < of:
            return Granularity(name, None, kept, of)
    raise EngramError(
        f"granularity={name!r}: choose weight, channel, neuron, block:B, or N:M with N below M, "
        "such as block:4 or 2:4"
    )


def check_divides(name: str, weight: Tensor, grain: Granularity) -> None:
    """Check that the inputs of a weight divide into blocks.

    Args:
        name: Name of the weight.
        weight: The weight.
        grain: The granularity.

    Raises:
        EngramError: If they do not.
    """
    row = weight[:1].numel()
    if weight.ndim < 2:
        raise EngramError(f"{name} has one axis; {grain.name} needs a weight of at least two")
    if row % grain.block:
        raise EngramError(
            f"{name} has rows of {row} weights, which do not divide into blocks of {grain.block}; "
            "exclude it, or choose another block"
        )


def excess(weight: Tensor, grain: Granularity) -> Tensor:
    """The weights that N:M sets to zero: all but the N largest of M neighbours.

    Args:
        weight: `(output, …)`, whose rows divide by M.
        grain: An N:M granularity.
    """
    groups = weight.abs().reshape(-1, grain.block)
    smallest = groups.topk(grain.block - grain.kept, dim=1, largest=False).indices
    return torch.zeros_like(groups, dtype=torch.bool).scatter_(1, smallest, True).view_as(weight)


def _along(weight: Tensor, axis: int) -> Tensor:
    others = [i for i in range(weight.ndim) if i != axis]
    return weight.square().mean(others, keepdim=True).sqrt()


def _blocks(weight: Tensor, block: int) -> Tensor:
    groups = weight.reshape(-1, block)
    return groups.square().mean(1, keepdim=True).sqrt().expand_as(groups).reshape(weight.shape)
