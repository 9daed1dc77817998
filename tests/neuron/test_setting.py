"""What constructors and states of neurons take: values of every kind give a layer or an error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engram.neuron import (
    IF,
    LI,
    LIF,
    PMSN,
    PRF,
    PSN,
    ATan,
    CubaLIF,
    Delay,
    DilatedPSN,
    FixedPointLIF,
    MaskedPSN,
    ParametricLIF,
    RecurrentGraph,
    SlidingPSN,
    Surrogate,
    Temporal,
    Threshold,
    recurrent,
    reference,
    stream,
)

REQUIRED: dict[type, dict[str, Any]] = {
    IF: {},
    LIF: {},
    ParametricLIF: {},
    LI: {},
    CubaLIF: {},
    Threshold: {},
    FixedPointLIF: {},
    PRF: {},
    PMSN: {},
    PSN: {"T": 4},
    SlidingPSN: {"k": 2},
    MaskedPSN: {"k": 2, "T": 4},
    Delay: {"max_delay": 3},
    DilatedPSN: {"k": 2},
}
NUMBERS = ("tau", "tau_syn", "threshold", "reset", "resting", "input_weight", "coupling", "lam")
COUNTS = ("T", "k", "n", "channels", "max_delay", "dilation", "iterations")
FLAGS = ("decay_input", "detach_reset", "exponential_init")
WRONG: dict[str, tuple[Any, ...]] = {
    "number": (
        "2",
        2 + 1j,
        object(),
        10**400,
        ["a"],
        [[1.0], [2.0, 3.0]],
        torch.tensor([]),
        torch.eye(4).to_sparse(),
        torch.full((4,), 2.0, requires_grad=True),
        np.array(["a"]),
    ),
    "count": ("2", 2.5, float("nan"), None, [2], torch.tensor([2.0, 3.0]), 10**30, 0, -1),
    "flag": ("no", 2, None, [], torch.tensor([True, False]), float("nan")),
    "surrogate": (0, False, "atan", ATan, 2.0, [], torch.ones(2)),
    "step_range": (
        0.1,
        (0.1,),
        (0.1, 0.2, 0.3),
        ("a", "b"),
        (float("nan"), 1.0),
        torch.tensor(1.0),
    ),
    "shape": (3, "ab", (2.5,), (float("nan"),), object()),
}


def kind_of(argument: str) -> str | None:
    for kind, names in (("number", NUMBERS), ("count", COUNTS), ("flag", FLAGS)):
        if argument in names:
            return kind
    return argument if argument in WRONG else None


def arguments(cls: type) -> list[str]:
    code = cls.__init__.__code__
    return [*code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]]


CASES = [(cls, name) for cls in REQUIRED for name in arguments(cls) if kind_of(name)]


@pytest.mark.parametrize(("cls", "name"), CASES, ids=[f"{c.__name__}-{n}" for c, n in CASES])
def test_a_setting_of_a_wrong_type_is_refused_by_name(cls: type, name: str):
    for value in WRONG[kind_of(name) or ""]:
        with pytest.raises(ValueError, match=name):
            cls(**REQUIRED[cls] | {name: value})


def test_a_threshold_is_not_optional():
    for cls in (IF, LIF, CubaLIF, Threshold):
        with pytest.raises(ValueError, match="threshold=None"):
            cls(threshold=None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("given", [[2.0, 4.0], np.array([2.0, 4.0]), torch.tensor([2, 4])])
def test_values_for_each_neuron_come_in_any_container(given: Any):
    x = torch.rand(6, 3, 2, generator=torch.Generator().manual_seed(0)) * 2
    with reference():
        alone = [LIF(tau)(x[..., i]) for i, tau in enumerate((2.0, 4.0))]
    assert torch.equal(LIF(given)(x), torch.stack(alone, -1))


@pytest.mark.parametrize("alpha", ["2", None, 1 + 1j, [2.0], torch.ones(2), object()])
def test_a_steepness_of_a_wrong_type_is_refused(alpha: Any):
    with pytest.raises(ValueError, match="alpha"):
        ATan(alpha)


STATEFUL: dict[str, Callable[[], Temporal]] = {
    "lif": LIF,
    "own": lambda: LIF([2.0, 3.0, 4.0]),  # pyright: ignore[reportArgumentType]
    "li": LI,
    "cuba": CubaLIF,
    "prf": PRF,
    "pmsn": PMSN,
    "sliding": lambda: SlidingPSN(3),
    "masked": lambda: MaskedPSN(3, 12, lam=1.0),
    "delay": lambda: Delay(3),
    "dilated": lambda: DilatedPSN(3),
    "fixed": FixedPointLIF,
    "recurrent": lambda: recurrent(LIF(), nn.Linear(3, 3)),
}
CHANGES: dict[str, Callable[[Tensor], Any]] = {
    "array": lambda v: v.detach().numpy(),
    "number": lambda v: 0.5,
    "nothing": lambda v: None,
    "list": lambda v: v.tolist(),
    "sparse": lambda v: v.detach().to_sparse(),
    "bool": lambda v: v != 0,
    "meta": lambda v: v.to("meta"),
    "other batch": lambda v: torch.cat([v, v], -2),
}


@pytest.mark.parametrize("name", STATEFUL)
@pytest.mark.parametrize("change", CHANGES)
def test_a_state_that_holds_something_else_is_refused(name: str, change: str):
    layer, x = STATEFUL[name](), torch.rand(5, 2, 3)
    _, state = layer.run(x)
    values = [CHANGES[change](v) if isinstance(v, Tensor) and v.ndim else v for v in state]
    with pytest.raises(ValueError, match="state"):
        layer.run(x, type(state)(*values))


@pytest.mark.parametrize("name", [n for n in STATEFUL if n not in ("prf", "pmsn")])
def test_a_state_of_a_real_neuron_is_real(name: str):
    layer, x = STATEFUL[name](), torch.rand(5, 2, 3)
    _, state = layer.run(x)
    values = [v.to(torch.cfloat) if isinstance(v, Tensor) and v.ndim else v for v in state]
    with pytest.raises(ValueError, match="state"):
        layer.run(x, type(state)(*values))


@pytest.mark.parametrize("state", [0, "state", {}, (1, 2), torch.ones(2, 3)])
def test_a_recurrent_graph_refuses_what_is_not_its_state(state: Any):
    with pytest.raises(ValueError, match="GraphState"):
        recurrent(LIF(), nn.Linear(3, 3)).run(torch.rand(5, 2, 3), state)


def test_a_recurrent_graph_refuses_the_state_of_another():
    one = recurrent(LIF(), nn.Linear(3, 3))
    other = RecurrentGraph(
        {"back": nn.Linear(3, 3), "cells": LIF()},
        {"back": ["cells"], "cells": ["input", "back"], "output": ["cells"]},
        {("cells", "back")},
    )
    _, state = other.run(torch.rand(5, 2, 3))
    with pytest.raises(ValueError, match="this graph"):
        one.run(torch.rand(5, 2, 3), state)


def test_a_recurrent_graph_may_change_its_dtype_in_mid_stream():
    torch.manual_seed(0)
    net = recurrent(IF(), nn.Linear(3, 3))
    with torch.no_grad():  # eighths, whose sums are exact in float32 and float64
        for weight in net.parameters():
            weight.copy_((weight * 8).round() / 8)
        x = (torch.rand(8, 2, 3) * 8).round() / 8
        with stream(net):
            first = net(x[:4])
            net.double()
            second = net(x[4:].double())
        assert torch.equal(torch.cat([first.double(), second]), net(x.double()))


@pytest.mark.parametrize("cls", REQUIRED)
def test_a_layer_is_built_without_memory(cls: type):
    with torch.device("meta"):
        layer = cls(**REQUIRED[cls])
        LIF(torch.tensor([2.0, 3.0], device="cpu"))
    assert all(weight.is_meta for weight in layer.parameters())


def test_a_surrogate_may_be_any_class_of_surrogates():
    class Own(Surrogate):
        def primitive(self, x: Tensor) -> Tensor:
            return x.clamp(0, 1)

        def derivative(self, x: Tensor) -> Tensor:
            return ((x > 0) & (x < 1)).to(x.dtype)

    x = torch.rand(4, 1, 2)
    assert torch.equal(LIF(surrogate=Own(1.0))(x), LIF()(x))
