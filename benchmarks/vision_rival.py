"""Spikingformer as its authors build it: SpikingJelly's neurons between plain torch modules.

The structure and the key names are those of the published code for CIFAR, so that a state dict of
`engram.vision` loads and both can be compared number by number. The neurons are SpikingJelly 2.0's
multi-step LIF on its torch backend, the one that runs on a CPU.
"""

from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn


def lif(threshold: float = 1.0) -> nn.Module:
    """The paper's neuron."""
    return neuron.LIFNode(
        tau=2.0,
        v_threshold=threshold,
        surrogate_function=surrogate.Sigmoid(alpha=4.0),
        detach_reset=True,
        step_mode="m",
    )


def frames(layer: nn.Module, x: Tensor) -> Tensor:
    """A layer without time on `(time, batch, …)`."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class Tokenizer(nn.Module):
    """Convolutions from the image to tokens; the last two stages halve the size."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        widths = (channels, dim // 8, dim // 4, dim // 2, dim, dim)
        for i in range(5):
            if i > 0:
                self.add_module(f"block{i}_lif", lif())
            if i >= 3:
                self.add_module(f"block{i}_mp", nn.MaxPool2d(3, 2, 1))
            conv = nn.Conv2d(widths[i], widths[i + 1], 3, padding=1, bias=False)
            self.add_module(f"block{i}_conv", conv)
            self.add_module(f"block{i}_bn", nn.BatchNorm2d(widths[i + 1]))

    def forward(self, x: Tensor) -> Tensor:
        """What the class says, along time."""
        for name, layer in self.named_children():
            x = layer(x) if name.endswith("lif") else frames(layer, x)
        return x


class Attention(nn.Module):
    """Spiking self-attention: (q kᵀ) v over heads, with 1×1 convolutions over tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.proj_lif = lif()
        for name in "qkv":
            self.add_module(f"{name}_conv", nn.Conv1d(dim, dim, 1, bias=False))
            self.add_module(f"{name}_bn", nn.BatchNorm1d(dim))
            self.add_module(f"{name}_lif", lif())
        self.attn_lif = lif(0.5)
        self.proj_conv = nn.Conv1d(dim, dim, 1)
        self.proj_bn = nn.BatchNorm1d(dim)

    def heads_of(self, name: str, x: Tensor) -> Tensor:
        """Spikes of q, k or v as `(time, batch, head, token, channel)`."""
        x = frames(self.get_submodule(f"{name}_conv"), x)
        x = self.get_submodule(f"{name}_lif")(frames(self.get_submodule(f"{name}_bn"), x))
        return x.transpose(-1, -2).unflatten(-1, (self.heads, -1)).transpose(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        """What the class says, along time."""
        spikes = self.proj_lif(x).flatten(3)
        q, k, v = (self.heads_of(name, spikes) for name in "qkv")
        y = (q @ k.transpose(-2, -1)) @ v * 0.125
        y = self.attn_lif(y.transpose(3, 4).reshape(spikes.shape))
        return frames(self.proj_bn, frames(self.proj_conv, y)).view(x.shape)


class MLP(nn.Module):
    """Two 1×1 convolutions, each reading spikes."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.mlp1_lif, self.mlp2_lif = lif(), lif()
        self.mlp1_conv, self.mlp1_bn = nn.Conv2d(dim, hidden, 1), nn.BatchNorm2d(hidden)
        self.mlp2_conv, self.mlp2_bn = nn.Conv2d(hidden, dim, 1), nn.BatchNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """What the class says, along time."""
        x = frames(self.mlp1_bn, frames(self.mlp1_conv, self.mlp1_lif(x)))
        return frames(self.mlp2_bn, frames(self.mlp2_conv, self.mlp2_lif(x)))


class Block(nn.Module):
    """Attention and MLP, added on membranes."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attn, self.mlp = Attention(dim, heads), MLP(dim, 4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        """What the class says, along time."""
        x = x + self.attn(x)
        return x + self.mlp(x)


class Spikingformer(nn.Module):
    """Image batch `(batch, channels, height, width)` → logits `(batch, classes)`."""

    def __init__(
        self, depth: int = 4, dim: int = 256, heads: int = 8, classes: int = 10, steps: int = 4
    ) -> None:
        super().__init__()
        self.steps = steps
        self.patch_embed = Tokenizer(3, dim)
        self.block = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.head = nn.Linear(dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        """What the class says, along time."""
        functional.reset_net(self)
        x = self.patch_embed(x.unsqueeze(0).repeat(self.steps, 1, 1, 1, 1))
        for block in self.block:
            x = block(x)
        return self.head(x.flatten(3).mean(3).mean(0))
