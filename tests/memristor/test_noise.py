"""Read noise: folded into the comparator as sampling every weight would have it."""

import math

import numpy as np
import pytest
import torch

from engram.errors import EngramError
from engram.memristor import BinaryStochasticConv2d, BinaryStochasticLinear, drawing, mean_field
from engram.memristor.functional import SPREAD, UNIT, comparator

MANY = 40_000


def phi(z):
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def layer(read_noise=0.0, **settings):
    return BinaryStochasticLinear(
        20, 4, 1, gain=3.0, noise="gaussian", read_noise=read_noise, **settings
    )


def test_thresholds_of_a_gaussian_comparator():
    table = comparator(2.0, "gaussian") * UNIT
    quantiles = np.array([phi(t * 2.0 / SPREAD) for t in table[1:-1]])
    np.testing.assert_allclose(quantiles, np.arange(1, 4096) / 4096, atol=2e-5)


@pytest.mark.parametrize("read_noise", [0.0, 0.1, 0.5])
def test_the_probability_of_a_bit_is_that_of_noise_on_every_weight(read_noise):
    net = layer(read_noise)
    x = torch.zeros(1, 20)
    x[0, :9] = 1.0
    with drawing(net), torch.no_grad():
        bits = net(x.expand(MANY, 20)).mean(0)
    # ten reads: nine rows and that of the bias, each with noise of its own
    z = net.weight.detach()[:, :9].sum(1).numpy()
    generator = np.random.default_rng(0)
    reads = z + read_noise * generator.standard_normal((MANY, 10, 4)).sum(1)
    sampled = (reads + SPREAD / 3.0 * generator.standard_normal((MANY, 4)) > 0).mean(0)
    closed = [phi(one / math.hypot(SPREAD / 3.0, read_noise * math.sqrt(10))) for one in z]
    tolerance = 5 * 0.5 / math.sqrt(MANY)
    np.testing.assert_allclose(bits, closed, atol=tolerance)
    np.testing.assert_allclose(sampled, closed, atol=tolerance)
    np.testing.assert_allclose(mean_field(net, x)[0], closed, atol=1e-6)


def test_reads_backward_have_the_noise_of_their_active_errors():
    net = layer(0.3)
    errors = torch.tensor([[1.0, -1.0, 0.0, 1.0]]).expand(MANY, 4)
    found = net.back(torch.zeros(MANY, 20), errors) * UNIT
    expected = (errors[:1].double() @ net.weight.detach().double())[0]
    np.testing.assert_allclose(found.mean(0), expected, atol=0.02)
    np.testing.assert_allclose(found.std(0), 0.3 * math.sqrt(3), rtol=0.02)
    assert not net.back(torch.zeros(2, 20), torch.zeros(2, 4)).any()


def test_places_of_a_convolution_have_factors_of_their_own():
    net = BinaryStochasticConv2d(1, 2, 3, 1, noise="gaussian", read_noise=0.5)
    x = torch.zeros(1, 1, 3, 5)
    x[..., :2] = 1.0
    share = (0.5 * net.gain / SPREAD) ** 2
    expected = [math.sqrt(1 + n * share) for n in (7, 4, 1)]
    np.testing.assert_allclose(net.factors(x).flatten(), expected, rtol=1e-12)
    # a place without active rows has the noise of the bias alone, and no sum
    with drawing(net), torch.no_grad():
        bits = net(x.expand(MANY, 1, 3, 5)).mean(0)
    np.testing.assert_allclose(bits[:, 0, 2], 0.5, atol=5 * 0.5 / math.sqrt(MANY))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"noise": "uniform"}, "noise='uniform': choose from logistic, gaussian"),
        ({"read_noise": 0.1}, "noise='logistic'"),
        ({"read_noise": -0.1, "noise": "gaussian"}, r"read_noise=-0\.1"),
    ],
)
def test_noise_that_cannot_be_is_refused(settings, said):
    with pytest.raises(EngramError, match=said):
        BinaryStochasticLinear(2, 2, 1, **settings)
