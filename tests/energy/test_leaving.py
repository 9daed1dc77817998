"""What leaves the tracer's sight is named or refused: values, threads, compiled modules."""

import math
import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils import dlpack

from engram.energy import count
from engram.neuron import LIF, Neuron
from engram.vision import verify


class Mixed(nn.Module):
    """Spikes, and a function of them that the test chooses."""

    def __init__(self, mix: Callable[["Mixed", Tensor], Tensor], inner: nn.Module) -> None:
        super().__init__()
        self.linear, self.neuron, self.inner = nn.Linear(8, 8), LIF(), inner
        self.mix = mix
        self.weight = nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(self, self.neuron(self.linear(x)))


def in_a_thread(function: Callable[[], Tensor]) -> Tensor:
    found: list[Tensor] = []

    def run() -> None:
        with torch.no_grad():
            found.append(function())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def by_value(net: Mixed, spikes: Tensor) -> Tensor:
    factors = [value.item() for value in spikes.flatten()]
    return spikes + sum(net.weight * factor for factor in factors)


HIDDEN: dict[str, Callable[[Mixed, Tensor], Tensor]] = {
    "item": by_value,
    "float": lambda net, z: z + net.weight * float(z.sum()),
    "complex": lambda net, z: z + net.weight * complex(z.sum()).real,
    "storage": lambda net, z: z + sum(bytes(z.untyped_storage())) * net.weight,
    "dlpack": lambda net, z: torch.from_dlpack(dlpack.to_dlpack(z)) * 2,  # pyright: ignore[reportPrivateImportUsage]
    "array": lambda net, z: z + torch.from_numpy(np.asarray(z) * 2),
    "thread": lambda net, z: in_a_thread(lambda: z * net.weight),
    "module in a thread": lambda net, z: z + in_a_thread(lambda: net.inner(z)),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_leaves_sight_is_named(name: str):
    x = torch.rand(4, 3, 8, generator=torch.Generator().manual_seed(0)).gt(0.5).float()
    net = Mixed(HIDDEN[name], nn.Linear(8, 8))
    found = count(net, [x], neurons=(Neuron,), layout="time-first")
    assert found.unseen
    assert not verify(net, [x], layout="time-first")


def test_a_branch_on_a_comparison_is_no_product():
    net = Mixed(lambda _, z: z if (z > 2).any() else z * 2, nn.Identity())
    assert not count(net, [torch.rand(4, 3, 8)], neurons=(Neuron,), layout="time-first").unseen


def test_a_module_compiled_by_torchscript_is_refused():
    with pytest.warns(DeprecationWarning, match="jit"):
        script = torch.jit.script(nn.Linear(8, 8))
    net = Mixed(lambda net, z: net.inner(z), script)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="inner is compiled by TorchScript"):
        count(net, [torch.rand(4, 3, 8)], layout="time-first")


@pytest.mark.parametrize("exponent", [math.inf, -math.inf, math.nan, 0.5, -2])
def test_a_power_that_is_no_product_is_free(exponent: float):
    net = Mixed(lambda _, z: (z + 0.5) ** exponent, nn.Identity())
    found = count(net, [torch.rand(4, 3, 8)], neurons=(Neuron,), layout="time-first")
    assert [one.name for one in found.operations] == ["linear/matmul"]
