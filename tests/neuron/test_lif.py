import itertools

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
