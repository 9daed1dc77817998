"""Spikingformer: a transformer whose residuals add membranes, so that every weight reads spikes."""

import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Unpack, final

from torch import Tensor, nn

from engram.vision.attention import (
    Settings,
    check_heads,
    cifar_heads,
    published_block_key,
    self_attention,
    unused_norms,
)
from engram.vision.layer import Chain, ConvBN, MaxPool, NeuronFactory, make_neuron, paper_lif
from engram.vision.network import Naming, VisionModel

EVERY_STAGE, LAST_STAGES = (1, 2, 3, 4), (3, 4)
"""Convolutions of the tokenizer that read half the height and width: all, or the last two."""


@final
class Spikingformer(VisionModel):
    """Spikingformer: x ← x + SSA(x), x ← x + MLP(x), both of which begin with a neuron.

    Args:
        depth: Transformer blocks.
        dim: Channels per token, a multiple of 8.
        heads: Attention heads.
        steps: T.
        num_classes: Number of classes; 0 for features only.
        in_channels: Channels of the input.
        pools: Convolutions of the tokenizer, of 1 … 4, that a max pooling precedes.
        cml: Pool right after the previous batch norm, on membranes before they fire, rather than
            on spikes: there the gradient goes to the largest membrane.
        neuron: Makes the neurons of a layer: the paper's LIF, or any of `engram.neuron`.

    Raises:
        ValueError: A setting is out of range; and at the call, the image cannot be halved that
            often, or the neurons require another number of steps.

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
        super().__init__(
            steps=steps, in_channels=in_channels, num_features=dim, divisor=2 ** len(pools)
        )
        check_heads("Spikingformer", dim, heads)
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
    """Neurons, then a convolution of their spikes; a pooling before or after it."""
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
        """Membranes `(time, batch, dim, height, width)`, before and after."""
        x = x + self.attention(x)
        return x + self.mlp(x)


def published_namings(depth: int, dim: int) -> tuple[Naming, Naming]:
    """How the models for CIFAR name their weights, and how those for other data and CML do."""
    unused = unused_norms(depth, dim)
    axes = {f"{name}_conv.weight": 3 for name in ("q", "k", "v", "attn.proj")}
    cifar = partial(published_key, tokens=[f"block{stage}" for stage in range(5)])
    other = partial(published_key, tokens=["proj", *(f"proj{stage}" for stage in range(1, 5))])
    return Naming("cifar", cifar, axes, unused), Naming("imagenet, dvs, cml", other, axes, unused)


def published_key(key: str, tokens: Sequence[str]) -> str:
    """Our name of a weight as the official code has it, whose tokenizer's stages are `tokens`."""
    key = re.sub(r"^stem\.0\.(conv|bn)", rf"patch_embed.{tokens[0]}_\1", key)
    key = re.sub(
        r"^tokenizer\.(\d)\.(?:project\.)?(conv|bn|neuron)",
        lambda part: f"patch_embed.{tokens[int(part[1]) + 1]}_{part[2]}",
        key,
    )
    return published_block_key(key, "mlp", [(r"_neuron\.", "_lif.")])


def spikingformer_cifar_4_256(num_classes: int = 10, **settings: Unpack[Settings]) -> Spikingformer:
    """4 blocks of 256 channels for images of 32 × 32; 8 heads."""
    return _cifar(4, 256, num_classes, settings)


def spikingformer_cifar_2_384(num_classes: int = 10, **settings: Unpack[Settings]) -> Spikingformer:
    """2 blocks of 384 channels for images of 32 × 32; 12 heads, 8 for 100 classes."""
    return _cifar(2, 384, num_classes, settings)


def spikingformer_cifar_4_384(num_classes: int = 10, **settings: Unpack[Settings]) -> Spikingformer:
    """4 blocks of 384 channels for images of 32 × 32; 12 heads, 8 for 100 classes."""
    return _cifar(4, 384, num_classes, settings)


def spikingformer_imagenet_8_384(
    num_classes: int = 1000, **settings: Unpack[Settings]
) -> Spikingformer:
    """8 blocks of 384 channels for images of 224 × 224; 8 heads."""
    return _imagenet(384, num_classes, settings)


def spikingformer_imagenet_8_512(
    num_classes: int = 1000, **settings: Unpack[Settings]
) -> Spikingformer:
    """8 blocks of 512 channels for images of 224 × 224; 8 heads."""
    return _imagenet(512, num_classes, settings)


def spikingformer_imagenet_8_768(
    num_classes: int = 1000, **settings: Unpack[Settings]
) -> Spikingformer:
    """8 blocks of 768 channels for images of 224 × 224; 8 heads."""
    return _imagenet(768, num_classes, settings)


def spikingformer_dvs_2_256(num_classes: int = 10, **settings: Unpack[Settings]) -> Spikingformer:
    """2 blocks of 256 channels for frames of events, 128 × 128; 16 heads; τ 1.5, with CML 1.75."""
    tau = 1.75 if settings.get("cml") else 1.5
    published = Settings(steps=16, in_channels=2, heads=16, neuron=partial(paper_lif, tau))
    return Spikingformer(2, 256, num_classes=num_classes, **published | settings)


def _cifar(depth: int, dim: int, num_classes: int, settings: Settings) -> Spikingformer:
    published = Settings(heads=cifar_heads(dim, num_classes))
    return Spikingformer(
        depth, dim, num_classes=num_classes, pools=LAST_STAGES, **published | settings
    )


def _imagenet(dim: int, num_classes: int, settings: Settings) -> Spikingformer:
    return Spikingformer(8, dim, num_classes=num_classes, **Settings(heads=8) | settings)
