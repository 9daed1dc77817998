import itertools

import numpy as np
import pytest
import torch

from engram.neuron import IF, LIF, ATan, ParametricLIF, Sigmoid, reference
from engram.neuron import functional as F

OPTIONS = list(itertools.product([0.0, -0.25, None], [False, True]))
Pair = tuple[torch.nn.Module, torch.nn.Module]


def spikingjelly_pair(kind: str, reset: float | None, detach: bool, decay: bool) -> Pair:
    sj = pytest.importorskip("spikingjelly.activation_based.neuron")
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")
    theirs = {
        "v_threshold": 0.9,
        "v_reset": reset,
        "detach_reset": detach,
        "surrogate_function": surrogate.ATan(2.0),
        "step_mode": "m",
    }
    ours = {"threshold": 0.9, "reset": reset, "detach_reset": detach, "surrogate": ATan(2.0)}
    if kind == "if":
        return IF(**ours), sj.IFNode(**theirs)
    if kind == "lif":
        return (
            LIF(1.7, decay_input=decay, **ours),
            sj.LIFNode(tau=1.7, decay_input=decay, **theirs),
        )
    return (
        ParametricLIF(1.7, decay_input=decay, **ours),
        sj.ParametricLIFNode(init_tau=1.7, decay_input=decay, **theirs),
    )


@pytest.mark.parametrize(("reset", "detach"), OPTIONS)
@pytest.mark.parametrize(
    ("kind", "decay"),
    [("if", True), ("lif", True), ("lif", False), ("plif", True), ("plif", False)],
)
def test_reference_equals_spikingjelly(
    kind: str, decay: bool, reset: float | None, detach: bool
) -> None:
    with reference():
        assert_equals_spikingjelly(kind, decay, reset, detach)


@pytest.mark.parametrize(
    ("kind", "decay", "reset", "detach"),
    [
        ("if", True, 0.0, False),
        ("lif", True, 0.0, False),
        ("lif", False, -0.25, True),
        ("plif", True, None, False),
    ],
)
def test_kernel_equals_spikingjelly(
    kind: str, decay: bool, reset: float | None, detach: bool
) -> None:
    assert_equals_spikingjelly(kind, decay, reset, detach)


def assert_equals_spikingjelly(kind: str, decay: bool, reset: float | None, detach: bool) -> None:
    ours, theirs = spikingjelly_pair(kind, reset, detach, decay)
    x = torch.randn(24, 5, 101, generator=torch.Generator().manual_seed(1)) + 0.4
    weight = torch.randn(24, 5, 101, generator=torch.Generator().manual_seed(2))
    results = []
    for neuron in (ours, theirs):
        leaf = x.clone().requires_grad_()
        spikes = neuron(leaf)
        (spikes * weight).sum().backward()
        results.append((spikes.detach(), leaf.grad, [p.grad for p in neuron.parameters()]))
    (spikes, grad, learned), (their_spikes, their_grad, their_learned) = results
    assert torch.equal(spikes, their_spikes)
    assert 0.02 < spikes.mean() < 0.9
    torch.testing.assert_close(grad, their_grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(learned, their_learned, rtol=1e-4, atol=1e-3)


def test_lif_settles_where_the_leak_balances_the_input() -> None:
    # below threshold V → X: the fixed point of the leak, approached by (1 − 1/τ)^t
    x = torch.full((50, 3), 0.8, dtype=torch.float64)
    _, state = LIF(tau=4.0).run(x)
    torch.testing.assert_close(state.voltage, x[0] * (1 - (1 - 1 / 4.0) ** 50))


def test_if_fires_at_the_rate_of_its_input_when_the_reset_is_soft() -> None:
    # every unit of charge leaves as one spike, up to what is left on the membrane
    x = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.99], dtype=torch.float64).repeat(1000, 1)
    spikes, state = IF(reset=None).run(x)
    torch.testing.assert_close(spikes.sum(0) + state.voltage, x.sum(0))


def test_a_charge_at_threshold_fires() -> None:
    assert IF(threshold=0.5)(torch.tensor([[0.5], [0.25], [0.25]])).flatten().tolist() == [1, 0, 1]


@pytest.mark.parametrize("reset", [0.0, None])
def test_smooth_gradient_equals_finite_differences(reset: float | None) -> None:
    class Smooth(Sigmoid.__bases__[0]):  # fires its primitive, so that differences exist
        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(self.alpha * x)

        primitive = derivative = None

    Smooth.__abstractmethods__ = frozenset()
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    leak = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(
        lambda x, leak: F.lif(x, leak=leak, reset=reset, surrogate=Smooth(4.0))[0], (x, leak)
    )


def test_parametric_lif_learns_its_time_constant() -> None:
    neuron = ParametricLIF(tau=5.0)
    assert neuron.tau == pytest.approx(5.0)
    with torch.no_grad():
        neuron.w.add_(1.0)
    assert 1.0 < neuron.tau < 5.0


@pytest.mark.parametrize("neuron", [LIF, ParametricLIF])
@pytest.mark.parametrize("tau", [1.0, 0.5, -2.0, float("nan")])
def test_refuses_a_time_constant_of_no_leak(neuron: type, tau: float) -> None:
    with pytest.raises(ValueError, match=rf"tau={tau!r}.*use IF"):
        neuron(tau=tau)


@pytest.mark.parametrize("neuron", [IF, LIF, ParametricLIF])
def test_refuses_a_reset_at_or_above_threshold(neuron: type) -> None:
    with pytest.raises(ValueError, match="reset=1"):
        neuron(threshold=1.0, reset=1.0)
    with pytest.raises(ValueError, match="soft reset"):
        neuron(threshold=0.0, reset=None)


@pytest.mark.parametrize("reset", [0.0, -0.2, None])
@pytest.mark.parametrize("decay_input", [True, False])
def test_each_channel_of_a_parametric_lif_learns_as_a_layer_alone(
    reset: float | None, decay_input: bool
) -> None:
    taus = torch.tensor([1.3, 2.0, 6.0])
    settings = {"reset": reset, "decay_input": decay_input}
    layer = ParametricLIF(taus[:, None, None], 0.8, shape=(3, 1, 1), **settings)
    torch.testing.assert_close(layer.tau, taus[:, None, None].double(), check_dtype=False)
    x = torch.rand(12, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 2
    weight = torch.rand(12, 2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    spikes = layer(x)
    (grad,) = torch.autograd.grad((spikes * weight).sum(), layer.w)
    assert 0.05 < spikes.mean() < 0.95
    for i, tau in enumerate(taus.tolist()):
        alone = ParametricLIF(tau, 0.8, **settings)
        expected = alone(x[:, :, i])
        assert torch.equal(spikes[:, :, i], expected)
        (g,) = torch.autograd.grad((expected * weight[:, :, i]).sum(), alone.w)
        torch.testing.assert_close(grad[i, 0, 0], g, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("reset", [-0.2, None])
def test_neurons_with_values_of_their_own_are_neurons_alone(reset: float | None) -> None:
    taus, thresholds, resting = (
        torch.tensor(v) for v in ([1.0, 2.5, 9.0], [0.4, 0.8, 1.2], [0.0, 0.9, 0.5])
    )
    x = torch.rand(25, 4, 3, generator=torch.Generator().manual_seed(0)).double() * 2
    layer = LIF(taus, thresholds, reset, resting=resting)
    spikes = layer(x)
    for i in (1, 2):
        alone = LIF(taus[i].item(), thresholds[i].item(), reset, resting=resting[i].item())
        assert torch.equal(spikes[..., i], alone(x[..., i]))
    assert torch.equal(spikes[..., 0], (x[..., 0] >= 0.4).double())
    assert torch.equal(
        IF(thresholds, reset)(x),
        torch.stack([IF(th.item(), reset)(x[..., i]) for i, th in enumerate(thresholds)], -1),
    )
    other = LIF(taus, thresholds + 1, reset, resting=resting)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), spikes)


def test_a_shape_must_take_the_time_constants() -> None:
    with pytest.raises(ValueError, match=r"shape=\(2,\).*must broadcast"):
        ParametricLIF(torch.tensor([2.0, 3.0, 4.0]), shape=(2,))
    with pytest.raises(ValueError, match=r"\(3, 1, 1\) got input of shape \(4, 2, 5\)"):
        ParametricLIF(shape=(3, 1, 1))(torch.rand(4, 2, 5))


@pytest.mark.parametrize("w", [-1e4, -200.0, -30.0, 0.0, 3.0, 200.0])
def test_the_learned_time_constant_is_defined_for_every_weight(w: float) -> None:
    neuron = ParametricLIF()
    with torch.no_grad():
        neuron.w.fill_(w)
    assert neuron.tau == pytest.approx(1 + float(np.exp(-np.longdouble(w))))
