"""Spikingformer and Spikformer as their authors laid them out, with SpikingJelly's neurons.

The oracle of the models' arithmetic and of the names in published checkpoints: written from the
papers and the layout of the official code, layer by layer, and used by no product code.
"""

from collections.abc import Sequence

from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn

T = 4


def lif(threshold: float = 1.0, tau: float = 2.0) -> nn.Module:
    sigmoid = surrogate.Sigmoid(4.0)
    return neuron.LIFNode(
        tau,
        v_threshold=threshold,
        detach_reset=True,
        surrogate_function=sigmoid,
        step_mode="m",
    )


class Names(nn.Module):
    """Layers under published names; `run(x, name)` applies convolution and norm over all steps."""

    def add(self, name: str, conv: nn.Module, channels: int, word: str = "conv") -> None:
        flat = isinstance(conv, (nn.Conv1d, nn.Linear))
        norm = nn.BatchNorm1d(channels) if flat else nn.BatchNorm2d(channels)
        self.add_module(name.format(word), conv)
        self.add_module(name.format("bn"), norm)
        self.add_module(name.format("lif"), lif(0.5 if name.startswith("attn") else 1.0))

    def run(self, x: Tensor, name: str, word: str = "conv") -> Tensor:
        conv, norm = getattr(self, name.format(word)), getattr(self, name.format("bn"))
        merged, size = x.flatten(0, 1), x.shape[3:]
        if isinstance(conv, nn.Conv2d):
            return norm(conv(merged)).unflatten(0, x.shape[:2])
        merged = merged.flatten(2)
        y = norm(conv(merged.mT).mT if isinstance(conv, nn.Linear) else conv(merged))
        return y.unflatten(0, x.shape[:2]).unflatten(-1, size)

    def fire(self, x: Tensor, name: str) -> Tensor:
        return getattr(self, name.format("lif"))(x)


def conv3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def pool(x: Tensor) -> Tensor:
    return nn.functional.max_pool2d(x.flatten(0, 1), 3, 2, 1).unflatten(0, x.shape[:2])


class Tokens(Names):
    def __init__(self, dim: int, names: Sequence[str], channels: int, pools: str, cml: bool):
        super().__init__()
        self.names, self.cml = names, cml
        self.pools = [letter == "p" for letter in pools]
        widths = (dim // 8, dim // 4, dim // 2, dim, dim)
        for name, inputs, outputs in zip(names, (channels, *widths), widths, strict=False):
            self.add(name, conv3(inputs, outputs), outputs)


class SpikingformerTokens(Tokens):
    def forward(self, x: Tensor) -> Tensor:
        x = self.run(x, self.names[0])
        for stage in range(1, 5):
            if self.cml and self.pools[stage - 1]:
                x = pool(x)
            x = self.fire(x, self.names[stage])
            if not self.cml and self.pools[stage - 1]:
                x = pool(x)
            x = self.run(x, self.names[stage])
        return x


class SpikformerTokens(Tokens):
    def forward(self, x: Tensor) -> Tensor:
        for stage, name in enumerate(self.names[:4]):
            x = self.run(x, name)
            if self.cml and self.pools[stage]:
                x = pool(x)
            x = self.fire(x, name)
            if not self.cml and self.pools[stage]:
                x = pool(x)
        return x + self.fire(self.run(x, self.names[4]), self.names[4])


class Attend(Names):
    def __init__(self, dim: int, heads: int, scale: float, word: str, spikes_in: bool):
        super().__init__()
        self.heads, self.scale, self.word, self.spikes_in = heads, scale, word, spikes_in
        linear = word == "linear"
        for name in "qkv":
            product = nn.Linear(dim, dim) if linear else nn.Conv1d(dim, dim, 1, bias=False)
            self.add(f"{name}_{{}}", product, dim, word)
        self.add("proj_{}", nn.Linear(dim, dim) if linear else nn.Conv1d(dim, dim, 1), dim, word)
        self.attn_lif = lif(0.5)

    def forward(self, x: Tensor) -> Tensor:
        if not self.spikes_in:
            x = self.fire(x, "proj_{}")
        q, k, v = (
            self.fire(self.run(x, f"{name}_{{}}", self.word), f"{name}_{{}}")
            .flatten(3)
            .unflatten(2, (self.heads, -1))
            .mT
            for name in "qkv"
        )
        mixed = (q @ k.mT) @ v * self.scale
        mixed = self.attn_lif(mixed.mT.reshape(x.shape))
        out = self.run(mixed, "proj_{}", self.word)
        return self.fire(out, "proj_{}") if self.spikes_in else out


class Perceptron(Names):
    def __init__(self, dim: int, layer: str, word: str, axes: int, spikes_in: bool):
        super().__init__()
        self.layer, self.word, self.spikes_in = layer, word, spikes_in
        for number, (inputs, outputs) in enumerate(((dim, 4 * dim), (4 * dim, dim)), 1):
            product = {
                2: nn.Linear(inputs, outputs),
                3: nn.Conv1d(inputs, outputs, 1),
                4: nn.Conv2d(inputs, outputs, 1),
            }[axes]
            self.add(f"{layer}{number}_{{}}", product, outputs, word)

    def forward(self, x: Tensor) -> Tensor:
        for name in (f"{self.layer}1_{{}}", f"{self.layer}2_{{}}"):
            if self.spikes_in:
                x = self.fire(self.run(x, name, self.word), name)
            else:
                x = self.run(self.fire(x, name), name, self.word)
        return x


class PublishedBlock(nn.Module):
    def __init__(self, dim: int, attn: nn.Module, mlp: nn.Module):
        super().__init__()
        self.norm1, self.attn, self.norm2, self.mlp = (
            nn.LayerNorm(dim),
            attn,
            nn.LayerNorm(dim),
            mlp,
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(x)
        return x + self.mlp(x)


class Published(nn.Module):
    """Tokens, blocks, head; images `(batch, …)` are shown T times, frames are not."""

    def __init__(self, tokens: nn.Module, blocks: Sequence[nn.Module], dim: int, classes: int):
        super().__init__()
        self.patch_embed, self.block = tokens, nn.ModuleList(blocks)
        self.head = nn.Linear(dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        functional.reset_net(self)
        x = x if x.ndim == 5 else x.unsqueeze(0).repeat(T, 1, 1, 1, 1)
        x = self.patch_embed(x)
        for block in self.block:
            x = block(x)
        return self.head(x.flatten(3).mean(3).mean(0))


COUNTED = tuple(f"block{stage}_{{}}" for stage in range(5))
PROJECTED = ("proj_{}", *(f"proj{stage}_{{}}" for stage in range(1, 5)))
SPIKFORMER = ("proj_{}", *(f"proj_{{}}{stage}" for stage in (1, 2, 3)), "rpe_{}")
SPIKFORMER_CML = (*(f"block{stage}_{{}}" for stage in range(1, 5)), "rpe_{}")


def spikingformer(
    depth: int, dim: int, heads: int, *, names=PROJECTED, pools="pppp", cml=False, channels=3
) -> Published:
    blocks = [
        PublishedBlock(
            dim, Attend(dim, heads, 0.125, "conv", False), Perceptron(dim, "mlp", "conv", 4, False)
        )
        for _ in range(depth)
    ]
    return Published(SpikingformerTokens(dim, names, channels, pools, cml), blocks, dim, 10)


def spikformer(
    depth: int,
    dim: int,
    heads: int,
    *,
    names=SPIKFORMER,
    pools="pppp",
    cml=False,
    channels=3,
    axes=4,
    scale=0.125,
) -> Published:
    word = "linear" if axes == 2 else "conv"
    blocks = [
        PublishedBlock(
            dim, Attend(dim, heads, scale, word, True), Perceptron(dim, "fc", word, axes, True)
        )
        for _ in range(depth)
    ]
    return Published(SpikformerTokens(dim, names, channels, pools, cml), blocks, dim, 10)
