import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engram.neuron import PMSN, Triangle, stream
from engram.neuron.pmsn import compartments, coupled_modes, modular_charge

T = 24


def dyadic(*shape: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 80, shape, generator=generator).double() / 32


@given(T=st.integers(1, 30), threshold=st.sampled_from([0.5, 1.0, 1.25]), seed=st.integers(0, 99))
def test_modular_charge_equals_the_step_loop(T: int, threshold: float, seed: int) -> None:
    current, start = dyadic(T, 20, seed=seed), dyadic(20, seed=seed + 1) % threshold
    charge, end = modular_charge(current, threshold, start)
    voltage = start
    for t in range(T):
        h = voltage + current[t]
        assert torch.equal(charge[t], h)
        voltage = h - threshold * torch.floor(h / threshold)
    assert torch.equal(end, voltage)


def test_modular_charge_keeps_the_gradient_of_the_present_current() -> None:
    current = dyadic(T, 5, seed=0).requires_grad_()
    weight = torch.randn(T, 5, dtype=torch.float64)
    charge, end = modular_charge(current, 1.0)
    assert not end.requires_grad
    (gradient,) = torch.autograd.grad((charge * weight).sum(), current)
    assert torch.equal(gradient, weight)


def test_compartments_are_the_coupled_chain_under_zero_order_hold() -> None:
    n, coupling, step = 4, 5.0, 0.07
    frequency, basis = (m.to(torch.complex128) for m in coupled_modes(n, coupling))
    chain = -0.5 * torch.eye(n, dtype=torch.float64)
    for i in range(n - 1):
        chain[i, i + 1], chain[i + 1, i] = coupling * (i + 1), -coupling * (i + 1)
    x = torch.randn(T, 3, dtype=torch.float64)
    decay = torch.linalg.matrix_exp(step * chain)
    hold = torch.linalg.solve(chain, decay - torch.eye(n, dtype=torch.float64)) @ torch.ones(
        n, 1, dtype=torch.float64
    )
    z = torch.zeros(n, 3, dtype=torch.float64)
    modes = compartments(
        x,
        torch.tensor(step, dtype=torch.float64),
        torch.complex(torch.full((n,), -0.5, dtype=torch.float64), frequency.real)[:, None],
        basis.mH @ torch.ones(n, 1, dtype=torch.complex128),
    )
    for t in range(T):
        z = decay @ z + hold * x[t]
        ours = (basis @ modes[t]).real
        torch.testing.assert_close(ours, z, rtol=1e-5, atol=1e-5)


def by_loop(x: torch.Tensor, neuron: PMSN) -> torch.Tensor:
    """The sequential neuron of `(time, batch, channels)`."""
    rates = torch.complex(-neuron.log_decay.exp(), neuron.frequency)[:, None]
    inputs, outputs = neuron.inputs[0] + 1j * neuron.inputs[1], neuron.outputs[:, :, None]
    decay = torch.exp(rates * neuron.log_step.exp())
    gain = (decay - 1) / rates * inputs[:, None]
    z = torch.zeros(len(rates), *x.shape[1:], dtype=rates.dtype)
    voltage, spikes = torch.zeros_like(x[0]), []
    for x_t in x:
        z = decay * z + gain * x_t
        hidden = outputs[0] * z.real - outputs[1] * z.imag
        current = (hidden.sum(0) + neuron.skip * x_t).relu()
        h = voltage + current
        spikes.append(neuron.surrogate(h - neuron.threshold))
        voltage = (h - neuron.threshold * torch.floor(h / neuron.threshold)).detach()
    return torch.stack(spikes)


def test_equals_the_step_loop() -> None:
    torch.manual_seed(0)
    neuron = PMSN(6, step_range=(0.1, 1.0), surrogate=Triangle(0.7)).double()
    x = torch.randn(T, 50, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(T, 50, 6, dtype=torch.float64)
    inputs = (x, *neuron.parameters())
    spikes, expected = neuron(x), by_loop(x, neuron)
    assert torch.equal(spikes, expected)
    assert 0.1 < expected.mean() < 0.9
    torch.testing.assert_close(
        torch.autograd.grad((spikes * weight).sum(), inputs),
        torch.autograd.grad((expected * weight).sum(), inputs),
        rtol=1e-8,
        atol=1e-8,
    )


def test_channels_stream() -> None:
    neuron = PMSN(6, n=3, step_range=(0.1, 1.0)).double()
    x = torch.randn(T, 4, 6, 2, dtype=torch.float64)
    whole = neuron(x)
    with stream(neuron, single_step=True):
        assert torch.equal(torch.stack([neuron(x_t) for x_t in x]), whole)


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="n=0"):
        PMSN(n=0)
    with pytest.raises(ValueError, match=r"threshold=-1\.0.*positive"):
        PMSN(threshold=-1.0)
    with pytest.raises(ValueError, match="channels=0"):
        PMSN(0)
    with pytest.raises(ValueError, match=r"PMSN.*step_range"):
        PMSN(step_range=(0.0, 1.0))
    with pytest.raises(ValueError, match="6 channels"):
        PMSN(6)(torch.ones(T, 2, 5))
