import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engram.neuron import ATan, DilatedPSN, SlidingPSN, sawtooth, stream
from engram.neuron.dilated import dilated_charge, power_of_two


def dyadic(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-64, 65, shape, generator=generator) / 32


@given(weight=st.floats(1e-30, 1e30), negative=st.booleans())
def test_rounds_to_the_power_of_two_nearest_in_the_logarithm(weight: float, negative: bool) -> None:
    w = torch.tensor(-weight if negative else weight, dtype=torch.float64)
    q = power_of_two(w).item()
    mantissa, exponent = math.frexp(abs(q))
    assert mantissa == 0.5
    assert (q < 0) == negative
    distance = math.log2(weight) - (exponent - 1)
    assert abs(distance) <= 0.5 + 1e-9


def test_powers_of_two_and_zero_stay_and_the_gradient_passes() -> None:
    w = torch.cat([torch.zeros(1), 2.0 ** torch.arange(-126, 128), -(2.0 ** torch.arange(-9, 9))])
    w.requires_grad_()
    assert torch.equal(power_of_two(w), w)
    scale = torch.randn(len(w))
    (power_of_two(1.3 * w) * scale).sum().backward()
    torch.testing.assert_close(w.grad, 1.3 * scale)


@given(
    T=st.integers(1, 12),
    k=st.integers(1, 5),
    dilation=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_reads_the_window_of_the_definition(T: int, k: int, dilation: int, seed: int) -> None:
    neuron = DilatedPSN(k, dilation, 3)
    x = dyadic(T, 2, 3, 4, seed=seed)
    weight = power_of_two(neuron.weight).detach()
    threshold = 0.25 * torch.arange(3.0)
    with torch.no_grad():
        neuron.threshold.copy_(threshold)
    spikes = neuron(x)
    for t in range(T):
        charge = torch.zeros(2, 3, 4, dtype=torch.float64)
        for i in range(k):
            s = t - (k - 1 - i) * dilation
            if s >= 0:
                charge += weight[:, i, None].double() * x[s]
        away = (charge - threshold[:, None]).abs() > 1e-5
        assert torch.equal(spikes[t][away], (charge >= threshold[:, None]).float()[away])


def test_charge_is_a_dilated_depthwise_convolution() -> None:
    k, dilation, x = 4, 3, torch.randn(20, 2, 5, dtype=torch.float64)
    weight = torch.randn(5, k, dtype=torch.float64, requires_grad=True)
    before = (k - 1) * dilation
    seen = torch.cat([torch.zeros(before, 2, 5, dtype=torch.float64), x]).requires_grad_()
    charge = dilated_charge(seen, weight.mT, dilation)
    expected = torch.nn.functional.conv1d(
        seen.permute(1, 2, 0), weight[:, None], dilation=dilation, groups=5
    ).permute(2, 0, 1)
    torch.testing.assert_close(charge, expected)
    cotangent = torch.randn_like(charge)
    torch.testing.assert_close(
        torch.autograd.grad(charge, (seen, weight), cotangent),
        torch.autograd.grad(expected, (seen, weight), cotangent),
        rtol=1e-9,
        atol=1e-9,
    )


def test_without_dilation_and_channels_it_is_the_sliding_psn() -> None:
    ours, sliding = DilatedPSN(5, exponential_init=True), SlidingPSN(5)
    x, cotangent = dyadic(12, 4, 33), torch.randn(12, 4, 33)
    results = []
    for neuron in (ours, sliding):
        leaf = x.clone().requires_grad_()
        spikes = neuron(leaf)
        (spikes * cotangent).sum().backward()
        results.append((spikes.detach(), leaf.grad, neuron.weight.grad.flatten()))
    assert torch.equal(results[0][0], results[1][0])
    assert 0.02 < results[0][0].mean() < 0.98
    torch.testing.assert_close(results[0][1:], results[1][1:], rtol=1e-4, atol=1e-4)


def test_channels_stream_and_each_has_its_own_window() -> None:
    neuron, x = DilatedPSN(3, 2, 6, surrogate=ATan()), dyadic(11, 4, 6, 2)
    whole = neuron(x)
    with stream(neuron, single_step=True):
        assert torch.equal(torch.stack([neuron(x_t) for x_t in x]), whole)
    for c in range(6):
        alone = DilatedPSN(3, 2)
        with torch.no_grad():
            alone.weight.copy_(neuron.weight[c : c + 1])
        assert torch.equal(alone(x[:, :, c]), whole[:, :, c])


def test_starts_from_random_or_exponential_weights() -> None:
    uniform = DilatedPSN(4, channels=5000).weight
    assert 0.499 < uniform.abs().max() <= 0.5
    exponential = DilatedPSN(3, channels=2, exponential_init=True).weight
    assert exponential.tolist() == [[0.25, 0.5, 1.0]] * 2


def test_sawtooth_starts_over() -> None:
    assert sawtooth(7) == [1, 2, 3, 1, 2, 3, 1]
    assert sawtooth(3, period=2) == [1, 2, 1]


def test_refuses_what_is_no_window() -> None:
    for k, dilation in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match=rf"k={k}, dilation={dilation}.*at least 1"):
            DilatedPSN(k, dilation)
    with pytest.raises(ValueError, match="channels=0"):
        DilatedPSN(2, channels=0)
    with pytest.raises(ValueError, match=r"3 channels.*channels=1"):
        DilatedPSN(2, channels=3)(torch.ones(5, 2, 4))
