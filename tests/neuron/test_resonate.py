import math

import pytest
import torch

from engram.neuron import PRF, ATan, Rectangle, stream
from engram.neuron.resonate import prf

T = 40


def by_loop(x: torch.Tensor, neuron: PRF) -> torch.Tensor:
    """The sequential neuron, on the real and the imaginary part of its membrane."""
    step, frequency = neuron.log_step.exp(), neuron.log_frequency.exp()
    if len(step) > 1:
        step, frequency = (p.reshape(-1, *[1] * (x.ndim - 3)) for p in (step, frequency))
    damping = torch.exp(-step / neuron.tau)
    cos, sin = damping * torch.cos(step * frequency), damping * torch.sin(step * frequency)
    re = im = torch.zeros_like(x[0])
    spikes = []
    for x_t in x:
        re, im = cos * re - sin * im + step * x_t, sin * re + cos * im
        spikes.append(neuron.surrogate(re - neuron.threshold))
    return torch.stack(spikes)


@pytest.mark.parametrize(("channels", "shape"), [(1, (T, 90)), (6, (T, 5, 6)), (6, (T, 5, 6, 3))])
def test_equals_the_step_loop(channels: int, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    neuron = PRF(channels, step_range=(0.05, 0.8), surrogate=Rectangle()).double()
    x = (2 * torch.randn(shape, dtype=torch.float64)).requires_grad_()
    weight = torch.randn(shape, dtype=torch.float64)
    inputs = (x, *neuron.parameters())
    spikes, expected = neuron(x), by_loop(x, neuron)
    assert 0.01 < expected.mean() < 0.5
    assert torch.equal(spikes, expected)
    torch.testing.assert_close(
        torch.autograd.grad((spikes * weight).sum(), inputs),
        torch.autograd.grad((expected * weight).sum(), inputs),
        rtol=1e-9,
        atol=1e-9,
    )


def test_an_impulse_rings_at_its_frequency() -> None:
    (step, frequency), tau = torch.tensor([[0.1], [3.0]], dtype=torch.float64), 5.0
    x = torch.zeros(T, 1, dtype=torch.float64)
    x[0] = 1
    for t in range(1, T + 1):
        _, state = prf(x[:t], step, frequency, tau=tau, surrogate=ATan())
        n = t - 1
        expected = 0.1 * math.exp(-n * 0.1 / tau) * math.cos(n * 0.1 * 3.0)
        assert state.membrane.real.item() == pytest.approx(expected, abs=1e-12)


def test_fires_for_the_frequency_it_is_tuned_to() -> None:
    neuron = PRF(3, tau=50.0, threshold=1.5)
    with torch.no_grad():
        neuron.log_step.fill_(math.log(0.1))
        neuron.log_frequency.copy_(torch.log(torch.tensor([1.0, 2.0, 4.0])))
    time = 0.1 * torch.arange(600.0)
    x = torch.cos(2.0 * time)[:, None, None].expand(-1, 1, 3)
    counts = neuron(x).sum(0).squeeze()
    assert counts[1] > 0
    assert counts[0] == counts[2] == 0


def test_channels_stream() -> None:
    neuron = PRF(6, step_range=(0.05, 0.8)).double()
    x = 2 * torch.randn(T, 5, 6, 2, dtype=torch.float64)
    with stream(neuron, single_step=True):
        assert torch.equal(torch.stack([neuron(x_t) for x_t in x]), neuron.run(x)[0])


def test_starts_from_the_ranges_of_the_paper() -> None:
    neuron = PRF(5000)
    assert 0.001 <= neuron.log_step.exp().min() < 0.0012
    assert 0.09 < neuron.log_step.exp().max() <= 0.1001
    assert 6.2 < neuron.log_frequency.exp().max() <= 2 * math.pi + 1e-6


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"PRF\(channels=0\)"):
        PRF(0)
    with pytest.raises(ValueError, match=r"step_range=\(0.1, 0.01\).*such as"):
        PRF(step_range=(0.1, 0.01))
    with pytest.raises(ValueError, match=r"6 channels.*\(7, 5, 4\).*\(time, batch, 6"):
        PRF(6)(torch.ones(7, 5, 4))
    with pytest.raises(ValueError, match=r"6 channels.*\(7, 6\)"):
        PRF(6)(torch.ones(7, 6))
