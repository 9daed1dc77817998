import math
import pickle

import pytest
import torch

from engram.neuron import ATan, Erf, FastSigmoid, Rectangle, Sigmoid, Surrogate, Triangle

SURROGATES = [ATan(), ATan(3.0), Sigmoid(), Triangle(), Triangle(2.0), Rectangle(), Rectangle(0.5)]
SURROGATES += [Erf(), FastSigmoid(), FastSigmoid(2.0)]
KINKS = {Triangle: lambda s: [0.0, 1 / s.alpha], Rectangle: lambda s: [0.5 / s.alpha]}


def grid() -> torch.Tensor:
    return torch.linspace(-3, 3, 601, dtype=torch.float64)


@pytest.mark.parametrize("surrogate", SURROGATES, ids=str)
def test_derivative_is_that_of_the_primitive(surrogate: Surrogate) -> None:
    x = grid()
    for kink in KINKS.get(type(surrogate), lambda _: [])(surrogate):
        x = x[(x.abs() - kink).abs() > 1e-9]
    x.requires_grad_()
    (slope,) = torch.autograd.grad(surrogate.primitive(x).sum(), x)
    torch.testing.assert_close(surrogate.derivative(x.detach()), slope, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("surrogate", SURROGATES, ids=str)
def test_spikes_are_the_step_and_backward_is_the_derivative(surrogate: Surrogate) -> None:
    x = torch.cat([grid(), torch.tensor([0.0, -0.0, 5e-324, -5e-324])]).requires_grad_()
    spikes = surrogate(x)
    torch.testing.assert_close(spikes, torch.heaviside(x.detach(), torch.ones_like(x).detach()))
    weight = torch.rand_like(spikes)
    (slope,) = torch.autograd.grad((spikes * weight).sum(), x)
    torch.testing.assert_close(slope, weight * surrogate.derivative(x.detach()))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ATan(2.0), "ATan"),
        (Sigmoid(4.0), "Sigmoid"),
        (Triangle(1.5), "PiecewiseQuadratic"),
        (Erf(2.0), "Erf"),
    ],
    ids=["ATan", "Sigmoid", "Triangle", "Erf"],
)
def test_equals_spikingjelly(ours: Surrogate, theirs: str) -> None:
    sj = pytest.importorskip("spikingjelly.activation_based.surrogate")
    a, b = grid().requires_grad_(), grid().requires_grad_()
    (slope,) = torch.autograd.grad(ours(a).sum(), a)
    (expected,) = torch.autograd.grad(getattr(sj, theirs)(ours.alpha)(b).sum(), b)
    torch.testing.assert_close(slope, expected, rtol=1e-9, atol=1e-12)


def test_fast_sigmoid_equals_snntorch() -> None:
    snn = pytest.importorskip("snntorch.surrogate")
    a, b = grid().requires_grad_(), grid().requires_grad_()
    (slope,) = torch.autograd.grad(FastSigmoid(25.0)(a).sum(), a)
    (expected,) = torch.autograd.grad(snn.fast_sigmoid(slope=25)(b).sum(), b)
    torch.testing.assert_close(slope, expected)


@pytest.mark.parametrize("surrogate", SURROGATES, ids=str)
def test_pickles_to_an_equal(surrogate: Surrogate) -> None:
    assert pickle.loads(pickle.dumps(surrogate)) == surrogate


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.nan, math.inf])
def test_refuses_a_steepness_that_is_none(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        Sigmoid(alpha)
