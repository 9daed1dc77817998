"""Spikformer: a spiking transformer whose residuals add spikes, so that its weights read counts."""

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
from engram.vision.layer import (
    Chain,
    ConvBN,
    MaxPool,
    NeuronFactory,
    fire,
    make_neuron,
    paper_lif,
)
from engram.vision.network import Naming, VisionModel

EVERY_STAGE, LAST_STAGES = (0, 1, 2, 3), (2, 3)
"""Tokenizer convolutions after which height and width are halved: all, or the last two."""


@final
class Spikformer(VisionModel):
    """Spikformer: x ← x + SSA(x), x ← x + MLP(x), where both terms end with neurons.

    The sums are counts of spikes, 0 … 2·depth + 2, which the next weights multiply: the network is
    not spike-driven.

    Args:
        depth: Number of transformer blocks.
        dim: Channels per token, a multiple of 8.
        heads: Number of attention heads.
        steps: T, the number of time steps per image.
        num_classes: Number of classes; 0 for features only.
        in_channels: Channels of the input.
        pools: Tokenizer convolutions, of 0 … 3, that are followed by max pooling.
        cml: Whether to pool membranes before firing instead of spikes.
        biased: Whether q, k and v have biases, as in the models for CIFAR.
        scale: Factor of the attention.
        neuron: Makes the neurons of a layer: the paper's LIF, or any of `engram.neuron`.

    Raises:
        ValueError: A setting is out of range; in a call, if the image cannot be halved that often
            or the neurons require another number of steps.

    References:
        Zhou et al., "Spikformer", ICLR 2023, arXiv 2209.15425; CML: Zhou et al., arXiv 2305.05954.
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
        biased: bool = False,
        scale: float = 0.125,
        neuron: NeuronFactory = paper_lif,
    ) -> None:
        check_sizes("Spikformer", depth, dim, heads)
        super().__init__(
            steps=steps, in_channels=in_channels, num_features=dim, divisor=2 ** len(pools)
        )
        self.depth, self.heads, self.pools, self.cml = depth, heads, tuple(pools), cml
        widths = (dim // 8, dim // 4, dim // 2, dim)
        self.stem = ConvBN(in_channels, widths[0], 3)
        self.tokenizer = Chain(
            *(
                tokenizer_stage(
                    None if stage == 0 else ConvBN(widths[stage - 1], widths[stage], 3),
                    neuron,
                    pool=stage in pools,
                    cml=cml,
                )
                for stage in range(4)
            ),
            Position(dim, neuron),
        )
        self.blocks = nn.ModuleList(Block(dim, heads, neuron, biased, scale) for _ in range(depth))
        self.reset_classifier(num_classes)
        written = "cifar" if biased else "dvs" if in_channels == 2 else "imagenet"
        written += ", cml" if biased and cml else ""
        namings = published_namings(depth, dim)
        self.namings = (
            *sorted(namings, key=lambda naming: naming.name != written),
            Naming(
                "spikingjelly",
                spikingjelly_key,
                zero=(".0.bias",),
                unfit=""
                if cml
                else "it pools before the neurons of the tokenizer; build the model with cml=True",
            ),
        )

    def stages(self) -> Sequence[nn.Module]:
        """The tokenizer, then the blocks."""
        return [self.tokenizer, *self.blocks]


def tokenizer_stage(
    project: ConvBN | None, neuron: NeuronFactory, *, pool: bool, cml: bool
) -> nn.Sequential:
    """A convolution (the stem is the first), its neurons, and pooling before or after them."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if project is not None:
        layers["project"] = project
    if pool and cml:
        layers["pool"] = MaxPool()
    layers["neuron"] = make_neuron(neuron)
    if pool and not cml:
        layers["pool"] = MaxPool()
    return nn.Sequential(layers)


@final
class Position(nn.Module):
    """Position embedding: adds the spikes of a convolution to the spikes that it reads.

    Args:
        dim: Channels per token.
        neuron: Makes the neurons of a layer.
    """

    def __init__(self, dim: int, neuron: NeuronFactory) -> None:
        super().__init__()
        self.project = ConvBN(dim, dim, 3)
        self.neuron = make_neuron(neuron)

    def forward(self, x: Tensor) -> Tensor:
        """Map spikes `(time, batch, dim, height, width)` to counts of spikes."""
        return x + fire(self.project, self.neuron, x)


@final
class Attention(nn.Module):
    """Spiking self-attention of counts: q, k and v as spikes, projection, neurons.

    Args:
        dim: Channels per token.
        heads: Number of attention heads.
        neuron: Makes the neurons of a layer.
        biased: Whether q, k and v have biases.
        scale: Factor of the attention.
    """

    def __init__(
        self, dim: int, heads: int, neuron: NeuronFactory, biased: bool, scale: float
    ) -> None:
        super().__init__()
        self.heads, self.scale = heads, scale
        self.q, self.k, self.v = (ConvBN(dim, dim, bias=biased) for _ in range(3))
        self.q_neuron, self.k_neuron, self.v_neuron = (make_neuron(neuron) for _ in range(3))
        self.attention_neuron = make_neuron(neuron, threshold=0.5)
        self.project = ConvBN(dim, dim, bias=True)
        self.neuron = make_neuron(neuron)

    def forward(self, x: Tensor) -> Tensor:
        """Map counts `(time, batch, dim, height, width)` to the spikes that are added to them."""
        return fire(self.project, self.neuron, self_attention(self, x, self.scale))


@final
class Block(nn.Module):
    """x ← x + attention(x), x ← x + MLP(x), on counts of spikes.

    Args:
        dim: Channels per token.
        heads: Attention heads.
        neuron: Makes the neurons of a layer.
        biased: Whether q, k and v have biases.
        scale: Factor of the attention.
    """

    def __init__(
        self, dim: int, heads: int, neuron: NeuronFactory, biased: bool, scale: float
    ) -> None:
        super().__init__()
        self.attention = Attention(dim, heads, neuron, biased, scale)
        self.mlp = Chain(
            OrderedDict(
                conv1=ConvBN(dim, 4 * dim, bias=True),
                neuron1=make_neuron(neuron),
                conv2=ConvBN(4 * dim, dim, bias=True),
                neuron2=make_neuron(neuron),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map counts `(time, batch, dim, height, width)` to counts."""
        x = x + self.attention(x)
        return x + self.mlp(x)


def published_namings(depth: int, dim: int) -> list[Naming]:
    """Naming of the published models."""
    norms = unused_norms(depth, dim)
    more = {"pos_embed": (1, 64, dim), "norm.weight": (dim,), "norm.bias": (dim,)}
    linear: dict[str, int] = {"_linear.weight": 2}
    attention = {f"{name}_conv.weight": 3 for name in ("q", "k", "v", "attn.proj")}
    everywhere = attention | {f"fc{layer}_conv.weight": 3 for layer in (1, 2)}
    cifar = partial(published_key, product="linear")
    return [
        Naming("cifar", cifar, linear, norms),
        Naming("cifar, cml", partial(cifar, blocks=True), linear, norms),
        Naming("imagenet", published_key, attention, norms),
        Naming("dvs", published_key, everywhere, norms | more),
    ]


def published_key(key: str, *, product: str = "conv", blocks: bool = False) -> str:
    """The official name of a weight.

    Args:
        key: Our name.
        product: Official name of a matrix.
        blocks: Whether it numbers the tokenizer's stages as blocks.
    """
    stage = r"block{}_{}" if blocks else r"proj_{1}{0}"
    key = re.sub(r"^tokenizer\.4\.(?:project\.)?(conv|bn|neuron)", r"patch_embed.rpe_\1", key)
    key = re.sub(r"^stem\.", "tokenizer.0.", key)
    key = re.sub(
        r"^tokenizer\.(\d)\.(?:project\.)?(conv|bn|neuron)",
        lambda part: "patch_embed." + stage.format(stage_number(int(part[1]), blocks), part[2]),
        key,
    )
    return published_block_key(
        key, "fc", [(r"^(block\..*)_conv\.", rf"\1_{product}."), (r"_neuron(\d?)\.", r"_lif\1.")]
    )


def spikingjelly_key(key: str) -> str:
    """The name of a weight in SpikingJelly 2.0, whose convolutions have no biases.

    q, k and v are one matrix there.
    """
    index = {"conv": "0", "bn": "1"}
    part = {"q": 0, "k": 1, "v": 2}
    key = re.sub(r"^stem\.", "tokenizer.0.project.", key)
    key = re.sub(
        r"^tokenizer\.4\.project\.(conv|bn)",
        lambda m: f"patch_embed.positional_encoding.conv_bn.block.{index[m[1]]}",
        key,
    )
    key = re.sub(
        r"^tokenizer\.(\d)\.project\.(conv|bn)",
        lambda m: f"patch_embed.stages.{m[1]}.conv_bn.block.{index[m[2]]}",
        key,
    )
    key = re.sub(
        r"\.attention\.project\.(conv|bn)", lambda m: f".attn.proj_conv_bn.{index[m[1]]}", key
    )
    key = re.sub(r"\.mlp\.conv(\d)\.(conv|bn)", lambda m: f".mlp.fc{m[1]}.{index[m[2]]}", key)
    return re.sub(
        r"\.attention\.([qkv])\.(conv|bn)(.*)$",
        lambda m: f".attn.qkv_conv_bn.{index[m[2]]}{m[3]}[{part[m[1]]}/3]",
        key,
    )


def stage_number(stage: int, blocks: bool) -> str:
    """The official number of a stage: from 1 if stages are blocks, else empty for the first."""
    return str(stage + 1) if blocks else str(stage or "")


def spikformer_cifar(
    depth: int, dim: int, num_classes: int = 10, **settings: Unpack[Settings]
) -> Spikformer:
    """A published model for 32 × 32 images: 8 heads, or 12 with 384 channels and not 100 classes.

    Args:
        depth: Number of blocks.
        dim: Channels per token.
        num_classes: Number of classes.
        settings: Other settings of `Spikformer`.
    """
    published = Settings(heads=cifar_heads(dim, num_classes))
    return Spikformer(
        depth, dim, num_classes=num_classes, pools=LAST_STAGES, biased=True, **published | settings
    )


def spikformer_imagenet(
    dim: int, num_classes: int = 1000, **settings: Unpack[Settings]
) -> Spikformer:
    """A published model for 224 × 224 images: 8 blocks, 8 heads; see `spikformer_cifar`."""
    return Spikformer(8, dim, num_classes=num_classes, **Settings(heads=8) | settings)


def spikformer_dvs_2_256(num_classes: int = 10, **settings: Unpack[Settings]) -> Spikformer:
    """2 blocks of 256 channels for events as frames of 128 × 128; 16 heads; attention × 0.25."""
    published = Settings(steps=16, in_channels=2, heads=16)
    return Spikformer(2, 256, num_classes=num_classes, scale=0.25, **published | settings)


spikformer_cifar_4_256 = partial(spikformer_cifar, 4, 256)
spikformer_cifar_2_384 = partial(spikformer_cifar, 2, 384)
spikformer_cifar_4_384 = partial(spikformer_cifar, 4, 384)
spikformer_imagenet_8_384 = partial(spikformer_imagenet, 384)
spikformer_imagenet_8_512 = partial(spikformer_imagenet, 512)
spikformer_imagenet_8_768 = partial(spikformer_imagenet, 768)
"""The published sizes: number of blocks, and channels per token."""
