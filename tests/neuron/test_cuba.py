"""The current-based LIF and the leaky integrator."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from engram.neuron import LI, LIF, CubaLIF, Threshold, reference, stream
from engram.neuron import functional as F
from engram.neuron.surrogate import ATan


def current(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * 1.2 + 0.5


@pytest.mark.parametrize("reset", [0.0, -0.3, None])
def test_spikingjelly_spikes_alike(reset: float | None) -> None:
    theirs = pytest.importorskip("spikingjelly.activation_based.neuron").CUBALIFNode(
        c_decay=0.6, v_decay=0.8, v_threshold=0.9, v_reset=reset
    )
    ours = CubaLIF(1 / 0.4, 5.0, 0.9, reset, resting=0.0, decay_input=False)
    x = current(40, 3, 50) * 0.5
    spikes = ours(x)
    assert 0.05 < spikes.mean() < 0.95
    assert torch.equal(spikes, torch.stack([theirs(x_t) for x_t in x]))


@pytest.mark.parametrize("decay_input", [True, False])
def test_snntorch_spikes_alike(decay_input: bool) -> None:
    snn = pytest.importorskip("snntorch")
    theirs = snn.Synaptic(
        alpha=0.5, beta=0.75, threshold=0.8, reset_mechanism="zero", reset_delay=False
    )
    ours = CubaLIF(2.0, 4.0, 0.8, decay_input=decay_input)
    x = current(40, 3, 50).float() * 1.5
    syn = mem = torch.zeros(3, 50)
    spikes = []
    for x_t in x:
        spikes_t, syn, _ = theirs(x_t / 8 if decay_input else x_t, syn, mem)
        mem = theirs.mem
        spikes.append(spikes_t)
    ours_spikes = ours(x)
    assert 0.05 < ours_spikes.mean() < 0.95
    assert torch.equal(ours_spikes, torch.stack(spikes))


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("reset", [-0.2, None])
def test_neurons_of_their_own_are_neurons_alone(decay_input: bool, reset: float | None) -> None:
    taus, synapses, thresholds = (
        torch.tensor(values) for values in ([1.0, 2.5, 7.0], [1.0, 1.5, 4.0], [0.5, 0.9, 1.3])
    )
    weight, resting = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 0.3, -0.1])
    settings: dict[str, Any] = {"decay_input": decay_input}
    layer = CubaLIF(
        synapses, taus, thresholds, reset, input_weight=weight, resting=resting, **settings
    )
    x = current(30, 4, 3)
    alone = torch.stack(
        [
            CubaLIF(
                synapses[i].item(),
                taus[i].item(),
                thresholds[i].item(),
                reset,
                input_weight=weight[i].item(),
                resting=resting[i].item(),
                **settings,
            )(x[:, :, i])
            for i in range(3)
        ],
        -1,
    )
    assert 0.05 < alone.mean() < 0.95
    assert torch.equal(layer(x), alone)
    assert torch.equal(layer.double()(x), alone)


def test_a_synapse_that_forgets_leaves_a_lif() -> None:
    x = current(30, 4, 5)
    for decay_input in (True, False):
        expected = LIF(3.0, 0.8, decay_input=decay_input)(x)
        assert torch.equal(CubaLIF(1.0, 3.0, 0.8, decay_input=decay_input)(x), expected)


def test_a_resting_potential_is_a_constant_current() -> None:
    """v_leak = 1.2 above the threshold of 1 fires by itself, after ln(1/6)/ln(0.99) steps."""
    spikes = LIF(100.0, resting=1.2)(torch.zeros(400, 1, 1, dtype=torch.float64)).flatten()
    period = math.ceil(math.log(1 / 6) / math.log(0.99))
    assert spikes.nonzero().flatten().tolist() == [period - 1, 2 * period - 1]


@pytest.mark.parametrize("decay_input", [True, False])
def test_the_integrator_is_its_impulse_response(decay_input: bool) -> None:
    """V[t] = V_rest + Σ a^(t−s)·X[s], with a = 1 − 1/τ, over τ or not."""
    x, tau = current(25, 2, 3), torch.tensor([1.0, 3.0, 20.0], dtype=torch.float64)
    t = torch.arange(25)
    kernel = (1 - 1 / tau) ** (t[:, None] - t).clamp(min=0)[..., None] * (t[:, None] >= t)[
        ..., None
    ]
    expected = 0.4 + torch.einsum("tsf,sbf->tbf", kernel, x / tau if decay_input else x)
    layer = LI(tau, resting=0.4, decay_input=decay_input).double()
    torch.testing.assert_close(layer(x), expected)
    with reference():
        torch.testing.assert_close(layer(x), expected)
    with stream(layer, single_step=True):
        torch.testing.assert_close(torch.stack([layer(x_t) for x_t in x]), expected)


def test_an_integrator_without_leak_sums() -> None:
    x = current(25, 2, 3)
    layer = LI(math.inf, input_weight=2.0, decay_input=False)
    torch.testing.assert_close(layer(x), 2 * x.cumsum(0))
    with pytest.raises(ValueError, match="decay_input=False gives the integrator"):
        LI(math.inf)


@pytest.mark.parametrize("decay_input", [True, False])
def test_the_gradient_of_the_integrator(decay_input: bool) -> None:
    layer = LI(3.0, resting=0.2, input_weight=1.5, decay_input=decay_input)
    start = F.LIFState(current(2, 2).requires_grad_())
    torch.autograd.gradcheck(layer, current(5, 2, 2).requires_grad_())
    torch.autograd.gradcheck(
        lambda x, v: layer.run(x, F.LIFState(v))[0], (current(5, 2, 2).requires_grad_(), *start)
    )


@pytest.mark.parametrize("decay_input", [True, False])
def test_the_gradient_of_the_neuron_is_that_of_its_steps(decay_input: bool) -> None:
    neuron = CubaLIF(2.0, 3.0, resting=0.1, decay_input=decay_input)
    x, weight = current(12, 3, 4).requires_grad_(), current(12, 3, 4)
    rest = 0.1 if decay_input else 0.1 / 3
    steps, i, v = [], torch.zeros(3, 4).double(), torch.zeros(3, 4).double()
    for x_t in x:  # the equations, with the surrogate of the neuron
        i = i + (x_t - i) / 2 if decay_input else i - i / 2 + x_t
        h = v + (i - v) / 3 + rest / 3 if decay_input else v - v / 3 + i + rest
        s = ATan()(h - 1)
        v = (1 - s) * h
        steps.append(s)
    (expected,) = torch.autograd.grad((torch.stack(steps) * weight).sum(), x)
    (found,) = torch.autograd.grad((neuron(x) * weight).sum(), x)
    assert expected.abs().sum() > 0
    torch.testing.assert_close(found, expected)


def test_a_threshold_is_a_membrane_without_memory() -> None:
    x = current(10, 2, 3)
    threshold = torch.tensor([-0.2, 0.5, 1.0])
    assert torch.equal(Threshold(threshold)(x), (x >= threshold).double())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CubaLIF(0.5), r"CubaLIF\(tau=0.5\).*at least 1"),
        (lambda: CubaLIF(2.0, torch.tensor([2.0, 0.9])), r"0.9 … 2, shape \(2,\).*at least 1"),
        (lambda: CubaLIF(threshold=math.nan), "threshold=nan.*finite"),
        (lambda: CubaLIF(reset=1.0), "below the threshold"),
        (lambda: CubaLIF(resting=math.inf), "resting=inf.*finite"),
        (lambda: LI(0.0), r"LI\(tau=0.0\)"),
        (lambda: Threshold(math.nan), "threshold=nan"),
        (lambda: LIF(torch.ones(3) * 2)(torch.rand(4, 2, 5)), r"\(3,\) got input.*\(4, 2, 5\)"),
        (lambda: CubaLIF(torch.ones(2, 3))(torch.rand(4, 2, 3)), r"\(2, 3\) got input"),
    ],
)
def test_refusals(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()
