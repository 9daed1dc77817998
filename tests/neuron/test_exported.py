"""torch.export with an open batch, and with open time where the layer has no length of its own."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.export import Dim

from engram.neuron import Delay, OverTime, Temporal
from tests.neuron.members import MEMBERS, T

LAYERS: dict[str, Callable[[], Temporal]] = {
    **MEMBERS,
    "delay": lambda: Delay(3),
    "delay-of-channels": lambda: Delay(3, 3),
    "over-time": lambda: OverTime(nn.Linear(3, 3)),
}
OF_ONE_LENGTH = ("psn", "masked", "masked-fading")
# the rounds of a doubling or of an iteration are counted once, at export
OF_A_RANGE = {"prf": (6, 8), "pmsn": (6, 8), "fixed-point": (T, 1000)}
OF_A_RANGE |= {name: (6, 8) for name in MEMBERS if name.startswith("cuba")}

every = pytest.mark.parametrize("name", LAYERS)


@every
def test_exports_with_an_open_batch(name: str) -> None:
    layer = LAYERS[name]()
    exported = torch.export.export(
        layer, (torch.rand(T, 4, 3),), dynamic_shapes=({1: Dim.DYNAMIC},)
    ).module()
    for batch in (2, 4, 9):
        x = torch.rand(T, batch, 3) * 2
        torch.testing.assert_close(exported(x), layer(x))


@every
def test_exports_with_open_time(name: str) -> None:
    if name in OF_ONE_LENGTH:
        pytest.skip("knows one length")
    layer = LAYERS[name]()
    exported = torch.export.export(
        layer, (torch.rand(T, 4, 3),), dynamic_shapes=({0: Dim.DYNAMIC, 1: Dim.DYNAMIC},)
    ).module()
    low, high = OF_A_RANGE.get(name, (2, 1000))
    for steps in {low, T, min(high, 23)}:
        x = torch.rand(steps, 5, 3) * 2
        torch.testing.assert_close(exported(x), layer(x))
