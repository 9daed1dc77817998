"""Every mode in which torch differentiates or transforms, for every neuron: as the reference does.

The reference consists of operations of torch, whose derivatives are torch's own, and of the spike
function, whose derivatives in forward and in reverse mode must agree with each other.
"""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import neuron as rival
from spikingjelly.activation_based import surrogate as rival_surrogate
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.autograd import functional as A
from torch.utils._pytree import tree_leaves

from engram.neuron import IF, LIF, PSN, Delay, ParametricLIF, Sigmoid, SlidingPSN, reference
from engram.neuron.kernel.lif import lif_operator
from engram.neuron.kernel.psn import psn_operator
from engram.neuron.kernel.shape import shape_of
from engram.vision.layer import ConvBN, fire
from engram.vision.norm import BatchNorm
from tests.neuron.members import KINDS, MEMBERS, T

# torch itself says so, when it first differentiates in forward mode and when it linearises
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning"),
]

NEURONS: dict[str, Callable[[], nn.Module]] = {
    **MEMBERS,
    "delay": lambda: Delay(3, delay=1.3),
    "lif-sigmoid": lambda: LIF(1.7, 0.9, -0.3, surrogate=Sigmoid()),
}


def normal(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


class Case:
    """A neuron with an input, weights of its output, a direction, and losses of them."""

    def __init__(self, neuron: nn.Module) -> None:
        self.neuron = neuron
        self.x = normal(0, T, 2, 1) * 1.5 + 0.7
        self.weight, self.direction = normal(1, T, 2, 1), normal(2, T, 2, 1)
        self.parameters = {name: p.detach() for name, p in neuron.named_parameters()}
        self.changes = {name: torch.ones_like(p) for name, p in self.parameters.items()}

    def spikes(self, x: Tensor, parameters: dict[str, Tensor] | None = None) -> Tensor:
        given = self.parameters if parameters is None else parameters
        return torch.func.functional_call(self.neuron, given, (x,))

    def loss(self, x: Tensor, parameters: dict[str, Tensor] | None = None) -> Tensor:
        return (self.spikes(x, parameters) * self.weight * x).sum()

    def leaf(self) -> Tensor:
        return self.x.clone().requires_grad_()

    def of_sample(self, parameters: dict[str, Tensor], x: Tensor, weight: Tensor) -> Tensor:
        return (self.spikes(x.unsqueeze(1), parameters)[:, 0] * weight).sum()


def penalty(c: Case) -> Any:
    x = c.leaf()
    (g,) = torch.autograd.grad((c.neuron(x) * x * c.weight).sum(), x, create_graph=True)
    inputs = [x, *c.neuron.parameters()]
    return torch.autograd.grad(g.square().sum(), inputs, allow_unused=True)


def thrice(c: Case) -> Any:
    x = c.leaf()
    (g,) = torch.autograd.grad((c.neuron(x) * x * c.weight).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.square().sum(), x, create_graph=True)
    return torch.autograd.grad(h.square().sum(), x)


def tangent(c: Case, *, grad: bool, leaf: bool = False) -> Any:
    with torch.set_grad_enabled(grad), forward_ad.dual_level():
        dual = forward_ad.make_dual(c.leaf() if leaf else c.x, c.direction)
        return forward_ad.unpack_dual(c.neuron(dual)).tangent


def many_gradients(c: Case) -> Any:
    x, rows = c.leaf(), torch.stack([c.weight, c.direction])
    return torch.autograd.grad(c.neuron(x), x, rows, is_grads_batched=True)


def mapped_backward(c: Case) -> Any:
    x = c.leaf()
    y = c.neuron(x)

    def backward(g: Tensor) -> Tensor:
        return torch.autograd.grad(y, x, g, retain_graph=True)[0]

    return torch.vmap(backward)(torch.stack([c.weight, c.direction]))


def per_sample(c: Case) -> Any:
    gradient = torch.func.grad(c.of_sample)
    return torch.vmap(gradient, in_dims=(None, 1, 1))(c.parameters, c.x, c.weight)


def ensemble(c: Case) -> Any:
    many = {name: torch.stack([p, p + 0.1]) for name, p in c.parameters.items()}
    return torch.vmap(c.spikes, in_dims=(None, 0))(c.x, many) if many else None


def along_parameters(c: Case) -> Any:
    if not c.parameters:
        return None
    return torch.func.jvp(partial(c.spikes, c.x), (c.parameters,), (c.changes,))


MODES: dict[str, Callable[[Case], Any]] = {
    "backward": lambda c: torch.autograd.grad((c.neuron(x := c.leaf()) * c.weight).sum(), x),
    "penalty": penalty,
    "thrice": thrice,
    "func.grad": lambda c: torch.func.grad(c.loss, argnums=(0, 1))(c.x, c.parameters),
    "func.vjp": lambda c: torch.func.vjp(c.spikes, c.x)[1](c.weight),
    "func.jvp": lambda c: torch.func.jvp(c.spikes, (c.x,), (c.direction,)),
    "func.jvp of parameters": along_parameters,
    "func.linearize": lambda c: torch.func.linearize(c.spikes, c.x)[1](c.direction),
    "func.jacrev": lambda c: torch.func.jacrev(c.spikes)(c.x),
    "func.jacfwd": lambda c: torch.func.jacfwd(c.spikes)(c.x),
    "func.hessian": lambda c: torch.func.hessian(c.loss)(c.x),
    "func.grad twice": lambda c: torch.func.grad(
        lambda x: torch.func.grad(c.loss)(x).square().sum()
    )(c.x),
    "hvp, forward over reverse": lambda c: torch.func.jvp(
        torch.func.grad(c.loss), (c.x,), (c.direction,)
    ),
    "vmap": lambda c: torch.vmap(c.neuron, in_dims=1, out_dims=1)(c.x),
    "per-sample gradients": per_sample,
    "ensemble": ensemble,
    "forward mode": partial(tangent, grad=True),
    "forward mode, no_grad": partial(tangent, grad=False),
    "forward mode of a leaf": partial(tangent, grad=True, leaf=True),
    "is_grads_batched": many_gradients,
    "vmap over backward": mapped_backward,
    "functional.hvp": lambda c: A.hvp(c.loss, c.x, c.direction),
    "functional.vhp": lambda c: A.vhp(c.loss, c.x, c.direction),
    "functional.jvp": lambda c: A.jvp(c.spikes, c.x, c.direction),
    "functional.jacobian, vectorised": lambda c: A.jacobian(c.spikes, c.x, vectorize=True),
    "functional.jacobian, forward": lambda c: A.jacobian(
        c.spikes, c.x, vectorize=True, strategy="forward-mode"
    ),
    "functional.hessian, forward over reverse": lambda c: A.hessian(
        c.loss, c.x, vectorize=True, outer_jacobian_strategy="forward-mode"
    ),
}

every = pytest.mark.parametrize("make", NEURONS.values(), ids=NEURONS.keys())

# each kind of derivative and of transform; the other modes are compositions of them
DISTINCT = ("backward", "penalty", "func.jvp", "func.hessian", "vmap", "per-sample gradients")


def cases() -> list[Any]:
    """Every neuron in every mode; settings of a class in the distinct modes unless slow."""
    return [
        pytest.param(
            *(make, mode),
            id=f"{how}-{name}",
            marks=() if name in (*KINDS, "delay") or how in DISTINCT else pytest.mark.slow,
        )
        for how, mode in MODES.items()
        for name, make in NEURONS.items()
    ]


@pytest.mark.parametrize(("make", "mode"), cases())
def test_every_mode_gives_what_the_reference_gives(make: Callable, mode: Callable) -> None:
    torch.manual_seed(0)
    case = Case(make().double())
    got = tree_leaves(mode(case))
    with reference():
        expected = tree_leaves(mode(case))
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


@every
def test_forward_and_reverse_mode_are_transposes(make: Callable) -> None:
    torch.manual_seed(0)
    case = Case(make().double())
    inputs = (case.x, case.parameters)
    _, change, *_ = torch.func.jvp(case.spikes, inputs, (case.direction, case.changes))
    back, of_parameters = torch.func.vjp(case.spikes, *inputs)[1](case.weight)
    total = (back * case.direction).sum() + sum(g.sum() for g in of_parameters.values())
    torch.testing.assert_close((case.weight * change).sum(), total, rtol=1e-10, atol=1e-10)


def penalised(spiking: nn.Module) -> Tensor:
    """The gradient of a gradient penalty through a linear layer and spiking neurons."""
    torch.manual_seed(0)
    linear, x = nn.Linear(3, 3).double(), torch.rand(6, 2, 3, dtype=torch.float64) * 2
    x.requires_grad_()
    h = linear(x)
    (g,) = torch.autograd.grad((spiking(h) * h).sum(), x, create_graph=True)
    g.square().sum().backward()
    assert linear.weight.grad is not None
    return linear.weight.grad


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            lambda: LIF(surrogate=Sigmoid(4.0)),
            lambda s: rival.LIFNode(surrogate_function=s, step_mode="m"),
        ),
        (
            lambda: LIF(3.0, 1.1, None, decay_input=False, surrogate=Sigmoid(4.0)),
            lambda s: rival.LIFNode(3.0, False, 1.1, None, surrogate_function=s, step_mode="m"),
        ),
        (
            lambda: IF(surrogate=Sigmoid(4.0)),
            lambda s: rival.IFNode(surrogate_function=s, step_mode="m"),
        ),
        (
            lambda: ParametricLIF(surrogate=Sigmoid(4.0)),
            lambda s: rival.ParametricLIFNode(surrogate_function=s, step_mode="m"),
        ),
    ],
    ids=["lif", "lif-soft", "if", "plif"],
)
def test_second_derivatives_are_those_of_spikingjelly(ours: Callable, theirs: Callable) -> None:
    expected = penalised(theirs(rival_surrogate.Sigmoid(4.0)).double())
    assert expected.abs().sum() > 0.5
    torch.testing.assert_close(penalised(ours()), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "make", [lambda: PSN(4, surrogate=Sigmoid()), lambda: SlidingPSN(3, surrogate=Sigmoid())]
)
def test_without_reset_second_derivatives_are_slopes_of_the_first(make: Callable) -> None:
    torch.manual_seed(0)
    neuron = make().double()
    x = normal(5, 4, 2).requires_grad_()
    assert torch.autograd.gradgradcheck(neuron, x)


def layers() -> dict[str, Callable[[Tensor], Tensor]]:
    """Norm, and norm with neurons, as the kernels compute them."""
    torch.manual_seed(0)
    norm, conv = BatchNorm(3).double(), ConvBN(3, 4).double()
    neurons = {"lif": LIF(surrogate=Sigmoid()), "if": IF(reset=None, detach_reset=True)}

    def firing(neuron: nn.Module, x: Tensor) -> Tensor:
        return fire(conv, neuron, x.unflatten(0, (4, 2)))

    return {"norm": norm} | {name: partial(firing, n) for name, n in neurons.items()}


@pytest.mark.parametrize("name", layers())
def test_the_norms_kernels_too(name: str) -> None:
    x = normal(3, 8, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    weight = normal(4, 8 * 4 * 4 * 5)
    found: list[list[Tensor]] = []
    for where in (contextlib.nullcontext(), reference()):
        with where:
            layer, leaf = layers()[name], x.clone(memory_format=torch.preserve_format)
            leaf.requires_grad_()
            y = layer(leaf)
            total = (y.flatten() * weight[: y.numel()]).sum() + (leaf**3).sum()
            (g,) = torch.autograd.grad(total, leaf, create_graph=True)
            (h,) = torch.autograd.grad(g.square().sum(), leaf, retain_graph=True)
            rows = torch.stack([torch.ones_like(y), y.detach() + 2])
            many = torch.autograd.grad(y, leaf, rows, is_grads_batched=True)
            found.append([y, g, h, *many])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", layers())
def test_the_norms_kernels_in_forward_mode(name: str) -> None:
    layer = layers()[name]
    x, v = (
        normal(seed, 8, 3, 4, 5).contiguous(memory_format=torch.channels_last) for seed in (3, 4)
    )
    leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
    y = layer(leaf)
    weight = torch.ones_like(y)
    (g,) = torch.autograd.grad(y, leaf, weight)
    with forward_ad.dual_level():
        change = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, v))).tangent
    torch.testing.assert_close((change * weight).sum(), (g * v).sum(), rtol=1e-8, atol=1e-8)


LIF_ARGUMENTS = (None, None, 2.0, 1.0, 0.0, True, False, *shape_of(Sigmoid()))
PSN_ARGUMENTS = (torch.eye(4), torch.ones(4), 4, None, *shape_of(Sigmoid()), True)


@pytest.mark.parametrize(
    "operator",
    [
        lambda x: lif_operator(x, *LIF_ARGUMENTS)[0],
        lambda x: psn_operator(x, *PSN_ARGUMENTS)[0],
    ],
    ids=["lif", "psn"],
)
def test_the_operators_called_by_themselves_are_right_or_refuse(operator: Callable) -> None:
    x = torch.rand(4, 3) * 2

    def dual() -> None:
        with forward_ad.dual_level():
            operator(forward_ad.make_dual(x, x))

    for mode in (
        dual,
        lambda: torch.func.jvp(operator, (x,), (x,)),
        lambda: torch.func.jacfwd(operator)(x),
    ):
        with pytest.raises(ValueError, match=r"no derivative in forward mode.*reference\(\)"):
            mode()
    with pytest.raises(RuntimeError, match="setup_context"):
        torch.func.grad(lambda x: operator(x).sum())(x)
    leaf = x.clone().requires_grad_()
    (g,) = torch.autograd.grad((operator(leaf) * leaf).sum(), leaf, create_graph=True)
    (h,) = torch.autograd.grad(g.square().sum(), leaf)
    assert h.abs().sum() > 0
    assert not torch.equal(h, 2 * g.detach())
