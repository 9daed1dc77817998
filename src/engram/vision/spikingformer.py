"""Spikingformer: a transformer whose residuals add membranes, so that every weight reads spikes."""

import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Unpack, final

from torch import Tensor, nn

from engram.vision.attention import (
    Settings,
    check_sizes,
    cifar_heads,
    published_block_key,
    self_attention,
    unused_norms,
)
from engram.vision.layer import Chain, ConvBN, MaxPool, NeuronFactory, make_neuron, paper_lif
from engram.vision.network import Naming, VisionModel

EVERY_STAGE, LAST_STAGES = (1, 2, 3, 4), (3, 4)
"""Tokenizer convolutions before which height and width are halved: all, or the last two."""


@final
class Spikingformer(VisionModel):
    """Spikingformer: x ← x + SSA(x), x ← x + MLP(x), where both terms begin with neurons.

    Args:
        depth: Number of transformer blocks.
        dim: Channels per token, a multiple of 8.
        heads: Number of attention heads.
        steps: T, the number of time steps per image.
        num_classes: Number of classes; 0 for features only.
        in_channels: Channels of the input.
        pools: Tokenizer convolutions, of 1 … 4, that are preceded by max pooling.
        cml: Whether to pool membranes after the previous batch norm instead of spikes, so that
            the gradient goes to the largest membrane.
        neuron: Makes the neurons of a layer: the paper's LIF, or any of `engram.neuron`.

    Raises:
        ValueError: A setting is out of range; in a call, if the image cannot be halved that often
            or the neurons require another number of steps.

    References:
        Zhou et al., "Spikingformer", arXiv 2304.11954; CML: Zhou et al., arXiv 2305.05954.
    """

    def __init__(
        self,
        depth: int,
        dim: int,
        heads: int,
        *,
        steps: int = 4,
        num_classes: int = 1000,
        in_channels: int = 3,
        pools: Sequence[int] = EVERY_STAGE,
        cml: bool = False,
        neuron: NeuronFactory = paper_lif,
    ) -> None:
        check_sizes("Spikingformer", depth, dim, heads)
        super().__init__(
            steps=steps, in_channels=in_channels, num_features=dim, divisor=2 ** len(pools)
        )
        self.depth, self.heads, self.pools, self.cml = depth, heads, tuple(pools), cml
        widths = (dim // 8, dim // 4, dim // 2, dim, dim)
        stem = ConvBN(in_channels, widths[0], 3)
        self.stem = nn.Sequential(stem, MaxPool()) if cml and 1 in pools else nn.Sequential(stem)
        self.tokenizer = Chain(
            *(
                tokenizer_stage(
                    widths[stage - 1],
                    widths[stage],
                    neuron,
                    pool_spikes=not cml and stage in pools,
                    pool_membranes=cml and stage + 1 in pools,
                )
                for stage in range(1, 5)
            )
        )
        self.blocks = nn.ModuleList(Block(dim, heads, neuron) for _ in range(depth))
        self.reset_classifier(num_classes)
        namings = published_namings(depth, dim)
        self.namings = namings if tuple(pools) == LAST_STAGES and not cml else namings[::-1]

    def stages(self) -> Sequence[nn.Module]:
        """The tokenizer, then the blocks."""
        return [self.tokenizer, *self.blocks]


def tokenizer_stage(
    in_channels: int,
    out_channels: int,
    neuron: NeuronFactory,
    *,
    pool_spikes: bool,
    pool_membranes: bool,
) -> nn.Sequential:
    """Neurons and a convolution of their spikes, with pooling before or after the convolution."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(neuron=make_neuron(neuron))
    if pool_spikes:
        layers["pool"] = MaxPool()
    layers["project"] = ConvBN(in_channels, out_channels, 3)
    if pool_membranes:
        layers["pool"] = MaxPool()
    return nn.Sequential(layers)


@final
class Attention(nn.Module):
    """Spiking self-attention of membranes: neurons, q, k and v as spikes, projection.

    Args:
        dim: Channels per token.
        heads: Attention heads.
        neuron: Makes the neurons of a layer.
    """

    def __init__(self, dim: int, heads: int, neuron: NeuronFactory) -> None:
        super().__init__()
        self.heads = heads
        self.neuron = make_neuron(neuron)
        self.q, self.k, self.v = (ConvBN(dim, dim) for _ in range(3))
        self.q_neuron, self.k_neuron, self.v_neuron = (make_neuron(neuron) for _ in range(3))
        self.attention_neuron = make_neuron(neuron, threshold=0.5)
        self.project = ConvBN(dim, dim, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map membranes `(time, batch, dim, height, width)` to their increments."""
        spikes = self.neuron(x)
        return self.project(self_attention(self, spikes, 0.125))


@final
class Block(nn.Module):
    """x ← x + attention(x), x ← x + MLP(x), on membranes.

    Args:
        dim: Channels per token.
        heads: Attention heads.
        neuron: Makes the neurons of a layer.
    """

    def __init__(self, dim: int, heads: int, neuron: NeuronFactory) -> None:
        super().__init__()
        self.attention = Attention(dim, heads, neuron)
        self.mlp = Chain(
            OrderedDict(
                neuron1=make_neuron(neuron),
                conv1=ConvBN(dim, 4 * dim, bias=True),
                neuron2=make_neuron(neuron),
                conv2=ConvBN(4 * dim, dim, bias=True),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map membranes `(time, batch, dim, height, width)` to membranes."""
        x = x + self.attention(x)
        return x + self.mlp(x)


def published_namings(depth: int, dim: int) -> tuple[Naming, Naming]:
    """The namings of the models for CIFAR, and of those for other data and with CML."""
    unused = unused_norms(depth, dim)
    axes = {f"{name}_conv.weight": 3 for name in ("q", "k", "v", "attn.proj")}
    cifar = partial(published_key, tokens=[f"block{stage}" for stage in range(5)])
    other = partial(published_key, tokens=["proj", *(f"proj{stage}" for stage in range(1, 5))])
    return Naming("cifar", cifar, axes, unused), Naming("imagenet, dvs, cml", other, axes, unused)


def published_key(key: str, tokens: Sequence[str]) -> str:
    """The official name of a weight, where the stages of the tokenizer are named `tokens`."""
    key = re.sub(r"^stem\.0\.(conv|bn)", rf"patch_embed.{tokens[0]}_\1", key)
    key = re.sub(
        r"^tokenizer\.(\d)\.(?:project\.)?(conv|bn|neuron)",
        lambda part: f"patch_embed.{tokens[int(part[1]) + 1]}_{part[2]}",
        key,
    )
    return published_block_key(key, "mlp", [(r"_neuron\.", "_lif.")])


def spikingformer_cifar(
    depth: int, dim: int, num_classes: int = 10, **settings: Unpack[Settings]
) -> Spikingformer:
    """A published model for 32 × 32 images: 8 heads, or 12 with 384 channels and not 100 classes.

    Args:
        depth: Number of blocks.
        dim: Channels per token.
        num_classes: Number of classes.
        settings: Other settings of `Spikingformer`.
    """
    published = Settings(heads=cifar_heads(dim, num_classes))
    return Spikingformer(
        depth, dim, num_classes=num_classes, pools=LAST_STAGES, **published | settings
    )


def spikingformer_imagenet(
    dim: int, num_classes: int = 1000, **settings: Unpack[Settings]
) -> Spikingformer:
    """A published model for 224 × 224 images: 8 blocks, 8 heads; see `spikingformer_cifar`."""
    return Spikingformer(8, dim, num_classes=num_classes, **Settings(heads=8) | settings)


def spikingformer_dvs_2_256(num_classes: int = 10, **settings: Unpack[Settings]) -> Spikingformer:
    """2 blocks of 256 channels for frames of events, 128 × 128; 16 heads; τ 1.5, with CML 1.75."""
    tau = 1.75 if settings.get("cml") else 1.5
    published = Settings(steps=16, in_channels=2, heads=16, neuron=partial(paper_lif, tau))
    return Spikingformer(2, 256, num_classes=num_classes, **published | settings)


spikingformer_cifar_4_256 = partial(spikingformer_cifar, 4, 256)
spikingformer_cifar_2_384 = partial(spikingformer_cifar, 2, 384)
spikingformer_cifar_4_384 = partial(spikingformer_cifar, 4, 384)
spikingformer_imagenet_8_384 = partial(spikingformer_imagenet, 384)
spikingformer_imagenet_8_512 = partial(spikingformer_imagenet, 512)
spikingformer_imagenet_8_768 = partial(spikingformer_imagenet, 768)
"""The published sizes: number of blocks, and channels per token."""
