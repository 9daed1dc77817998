"""Networks that fire, and NIR nodes, for the tests of the exchange."""

from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn

from engram.neuron import IF, LIF, Delay, OverTime, ParametricLIF, SlidingPSN, stream
from engram.neuron.interchange import SpikingGraph

T, BATCH, DT = 20, 3, 1e-4


class Folded(nn.Module):
    """A network on sequences that folds time for its norm, adds a skip connection, and pools."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(4)
        self.lif = LIF(1.5)
        self.pool = nn.AvgPool1d(2)
        self.flatten = nn.Flatten(2)
        self.output = nn.Linear(8, 6)
        self.sliding = SlidingPSN(3)

    def forward(self, x):
        y = self.norm(self.conv(torch.flatten(x, 0, 1))).unflatten(0, x.shape[:2])
        y = self.lif(x=y + x)
        y = self.pool(self.pool(y.flatten(0, 1))).unflatten(0, (y.shape[0], y.shape[1]))
        return self.sliding(self.output(self.flatten(y)))


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        LIF(2.0, 0.4),
        nn.Dropout2d(0.3),
        nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(4, 4, 3, padding="same", bias=False), IF(0.7)),
        nn.Flatten(),
        nn.Linear(16, 6),
        ParametricLIF(3.0, 0.3, decay_input=False),
    )


def over_time() -> nn.Module:
    """Layers under OverTime, and a graph within a network."""
    skip = SpikingGraph(
        {"flat": OverTime(nn.Flatten()), "linear": nn.Linear(8, 8), "output.if": IF(0.8)},
        {
            "flat": ["input"],
            "linear": ["flat"],
            "output.if": ["linear", "flat"],
            "output": ["output.if", "flat"],
        },
    )
    features = nn.Sequential(nn.Conv1d(2, 2, 3, padding=1), nn.BatchNorm1d(2), nn.Dropout())
    return nn.Sequential(OverTime(features), LIF(1.4), skip, nn.Identity(), nn.Linear(8, 6), LIF())


# name: the network, the shape of a sample's step, and whether it is written for single steps
NETS = {
    "lif": (lambda: LIF(1.7, 1.1, -0.2), (5,), False),
    "undecayed": (lambda: LIF(2.3, reset=0.1, decay_input=False), (5,), False),
    "if": (lambda: IF(1.3, -0.4), (2, 3), False),
    "sliding": (lambda: SlidingPSN(4), (5,), False),
    "delays": (
        lambda: nn.Sequential(Delay(3, 2), SlidingPSN(3), Delay(2, delay=1.5), IF()),
        (2, 4),
        False,
    ),
    "delay": (lambda: nn.Sequential(Delay(3, delay=2.0), SlidingPSN(1)), (2, 4), False),
    "dense": (
        lambda: nn.Sequential(nn.Linear(5, 8), LIF(), nn.Linear(8, 6, bias=False), IF()),
        (5,),
        False,
    ),
    "norm": (
        lambda: nn.Sequential(nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), LIF()),
        (5,),
        True,
    ),
    "convolutional": (convolutional, (2, 8, 8), True),
    "folded": (Folded, (4, 8), False),
    "over time": (over_time, (2, 4), False),
}


def excite(net: nn.Module) -> None:
    """Random statistics, and weights at which about as much comes out of a layer as goes in."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
        elif isinstance(weight := getattr(module, "weight", None), Tensor):
            nn.init.uniform_(weight, -1, 2).data.mul_(3 / weight[0].numel())


def build(name: str) -> tuple[nn.Module, Tensor, bool]:
    """A network with random weights and statistics, and an input that makes it fire."""
    torch.manual_seed(0)
    make, shape, by_step = NETS[name]
    net = make()
    excite(net)
    return net.eval(), 2 * torch.rand(T, BATCH, *shape), by_step


def by_steps(net: nn.Module, x: Tensor) -> Tensor:
    with stream(net, single_step=True):
        return torch.stack([net(x_t) for x_t in x])


def assert_fires(spikes: Tensor) -> None:
    assert 0.02 < spikes.float().mean() < 0.98


def broadcast(values: dict[str, float], n: int) -> dict[str, Any]:
    return {name: np.broadcast_to(value, n) for name, value in values.items()}


def lif_node(n: int = 5, **fields) -> nir.LIF:
    values = {"tau": 5e-4, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | fields
    return nir.LIF(**broadcast(values, n))


def if_node(n: int = 5, **fields) -> nir.IF:
    values = {"r": 1 / DT, "v_threshold": 1.0, "v_reset": 0.0} | fields
    return nir.IF(**broadcast(values, n))
