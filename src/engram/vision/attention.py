"""Code shared by spiking transformers: attention without softmax, and published weight names."""

import re
from collections.abc import Iterable
from numbers import Integral
from typing import Protocol, TypedDict

from jaxtyping import Float
from torch import Tensor

from engram.errors import EngramError
from engram.neuron import Neuron
from engram.vision.layer import ConvBN, NeuronFactory, fire


class Heads(Protocol):
    """The layers of spiking self-attention."""

    heads: int
    q: ConvBN
    k: ConvBN
    v: ConvBN
    q_neuron: Neuron
    k_neuron: Neuron
    v_neuron: Neuron
    attention_neuron: Neuron


def self_attention(layers: Heads, x: Tensor, scale: float) -> Tensor:
    """Spiking self-attention: q, k and v as spikes, `attend`, then neurons.

    Args:
        layers: The layers.
        x: Input of q, k and v, `(time, batch, channels, height, width)`.
        scale: Factor of the attention.

    Returns:
        Spikes, in the shape of x.
    """
    q = fire(layers.q, layers.q_neuron, x)
    k = fire(layers.k, layers.k_neuron, x)
    v = fire(layers.v, layers.v_neuron, x)
    return layers.attention_neuron(attend(q, k, v, heads=layers.heads, scale=scale))


def attend(
    q: Float[Tensor, "time batch channels height width"],
    k: Float[Tensor, "time batch channels height width"],
    v: Float[Tensor, "time batch channels height width"],
    *,
    heads: int,
    scale: float,
) -> Float[Tensor, "time batch channels height width"]:
    """Attention without softmax: scale · q(kᵀv) in each head, or scale · (qkᵀ)v if that is cheaper.

    For spikes the products are integers, so that both orders give exactly the same result.

    Args:
        q: Queries; each pixel is a token.
        k: Keys.
        v: Values.
        heads: Number of heads, which share the channels.
        scale: Factor of the result.
    """
    # (time, batch, head, channel, token): transposed relative to the equation
    size = q.shape[3:]
    q, k, v = (s.flatten(3).unflatten(2, (heads, -1)) for s in (q, k, v))
    channels, tokens = q.shape[-2:]
    mixed = (v @ k.mT) @ q if channels <= tokens else v @ (k.mT @ q)
    return (scale * mixed).flatten(2, 3).unflatten(3, size)


LARGEST = 1 << 34
"""Limit of depth · dim²; a transformer has about 12 times as many weights."""


def check_sizes(name: str, depth: int, dim: int, heads: int) -> None:
    """Raise ValueError unless the sizes are possible, and the heads and 8 divide the channels."""
    for argument, value in (("depth", depth), ("dim", dim), ("heads", heads)):
        if not isinstance(value, Integral) or value < 1:
            raise EngramError(f"{name}({argument}={value!r}): give a whole number, at least 1")
    if depth * dim**2 > LARGEST:
        raise EngramError(
            f"{name}(depth={depth}, dim={dim}) would have about {12 * depth * dim**2:.1g} weights: "
            f"choose sizes with depth · dim² of at most {LARGEST}"
        )
    if dim < 8 or dim % 8:
        raise EngramError(
            f"{name}(dim={dim}): the tokenizer widens from dim/8, which must be an integer"
        )
    if heads < 1 or dim % heads:
        raise EngramError(
            f"{name}(dim={dim}, heads={heads}): the heads share the channels equally; choose a "
            f"number of heads that divides {dim}"
        )


def published_block_key(key: str, mlp: str, more: Iterable[tuple[str, str]]) -> str:
    """The official name of a weight of a block.

    Args:
        key: Our name.
        mlp: The official name of a layer of the MLP, without its number.
        more: Further patterns and their replacements, applied after those of the blocks.
    """
    for ours, theirs in (
        (r"^blocks\.(\d+)\.attention\.neuron", r"block.\1.attn.proj_neuron"),
        (r"^blocks\.(\d+)\.attention\.attention_", r"block.\1.attn.attn_"),
        (r"^blocks\.(\d+)\.attention\.project\.", r"block.\1.attn.proj_"),
        (r"^blocks\.(\d+)\.attention\.([qkv])[._]", r"block.\1.attn.\2_"),
        (r"^blocks\.(\d+)\.mlp\.conv(\d)\.", rf"block.\1.mlp.{mlp}\2_"),
        (r"^blocks\.(\d+)\.mlp\.neuron(\d)", rf"block.\1.mlp.{mlp}\2_neuron"),
        *more,
    ):
        key = re.sub(ours, theirs, key)
    return key


def unused_norms(depth: int, dim: int) -> dict[str, tuple[int, ...]]:
    """Unused layer norms of the published models, with their shapes."""
    return {
        f"block.{block}.norm{norm}.{part}": (dim,)
        for block in range(depth)
        for norm in (1, 2)
        for part in ("weight", "bias")
    }


class Settings(TypedDict, total=False):
    """Options of the presets of a transformer; see its class."""

    steps: int
    in_channels: int
    heads: int
    cml: bool
    neuron: NeuronFactory


def cifar_heads(dim: int, num_classes: int) -> int:
    """Heads of the published models for CIFAR: 8, or 12 with 384 channels and not 100 classes."""
    return 12 if dim == 384 and num_classes != 100 else 8
