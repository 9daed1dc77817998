from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.neuron import LIF, PSN, Erf, FixedPointLIF
from engram.neuron import functional as F


def dyadic(*shape: int, seed: int) -> torch.Tensor:
    """Float64 currents whose sums and halves are exact: the order of addition cannot matter."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-32, 97, shape, generator=generator).double() / 32


settings_of = given(
    T=st.integers(1, 16),
    seed=st.integers(0, 999),
    decay_input=st.booleans(),
    detach=st.booleans(),
)


@settings_of
def test_as_many_iterations_as_steps_equal_lif(
    T: int, seed: int, decay_input: bool, detach: bool
) -> None:
    options = {"decay_input": decay_input, "detach_reset": detach, "surrogate": Erf()}
    x = dyadic(T, 40, seed=seed).requires_grad_()
    weight = dyadic(T, 40, seed=seed + 1)
    lif = LIF(2.0, 1.0, None, **options)
    ours = FixedPointLIF(2.0, 1.0, iterations=T, **options)
    (expected, end), (spikes, state) = lif.run(x), ours.run(x)
    assert torch.equal(spikes, expected)
    assert torch.equal(state.voltage, end.voltage)
    torch.testing.assert_close(
        torch.autograd.grad((spikes * weight).sum(), x),
        torch.autograd.grad((expected * weight).sum(), x),
        rtol=1e-12,
        atol=1e-12,
    )


@given(T=st.integers(2, 16), K=st.integers(1, 16), seed=st.integers(0, 999))
def test_iteration_k_is_right_about_the_first_k_steps(T: int, K: int, seed: int) -> None:
    x = dyadic(T, 40, seed=seed)
    exact, ours = LIF(reset=None)(x), FixedPointLIF(iterations=K)(x)
    assert torch.equal(ours[:K], exact[:K])


@given(tau=st.floats(1.01, 50), threshold=st.floats(0.1, 3), seed=st.integers(0, 99))
def test_equals_lif_for_any_tau_and_threshold(tau: float, threshold: float, seed: int) -> None:
    x = torch.randn(12, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    lif = LIF(tau, threshold, None, decay_input=False)
    spikes, state = FixedPointLIF(tau, threshold, iterations=12, decay_input=False).run(x)
    expected, end = lif.run(x)
    # no random charge lies so near to threshold that rounding could decide it
    assert torch.equal(spikes, expected)
    torch.testing.assert_close(state.voltage, end.voltage, rtol=1e-9, atol=1e-9)


def test_one_iteration_is_the_psn_of_a_lif_that_never_resets() -> None:
    T, x = 9, dyadic(9, 40, seed=3).float()
    psn = PSN(T)
    with torch.no_grad():
        psn.weight.copy_(F.lif_weight(2.0, T))
    assert torch.equal(FixedPointLIF(iterations=1)(x), psn(x))


def test_few_iterations_leave_few_wrong_spikes() -> None:
    x = torch.randn(64, 20000, generator=torch.Generator().manual_seed(0)) + 0.5
    exact = LIF(reset=None)(x)
    wrong = [(FixedPointLIF(iterations=K)(x) != exact).float().mean().item() for K in range(1, 9)]
    assert 0.12 < exact.mean() < 0.13
    # in per cent 6.6, 2.1, 1.1, 0.35, 0.17 … of all steps
    assert all(later < earlier for earlier, later in pairwise(wrong))
    assert wrong[0] > 0.06
    assert wrong[2] < 0.012
    assert wrong[7] < 0.0002


@settings(max_examples=30)
@given(first=st.integers(1, 11), seed=st.integers(0, 99))
def test_carries_the_membrane_between_chunks(first: int, seed: int) -> None:
    neuron, x = FixedPointLIF(iterations=12), dyadic(12, 40, seed=seed)
    head, state = neuron.run(x[:first])
    tail, _ = neuron.run(x[first:], state)
    assert torch.equal(torch.cat([head, tail]), LIF(reset=None)(x))


def test_a_long_sequence_stays_finite() -> None:
    x = torch.ones(3000, 2, requires_grad=True)
    spikes = FixedPointLIF(1.1)(x)
    spikes.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_refuses_settings_without_a_fixed_point() -> None:
    with pytest.raises(ValueError, match=r"iterations=0.*3 are usual"):
        FixedPointLIF(iterations=0)
    with pytest.raises(ValueError, match=r"FixedPointLIF\(tau=1\.0"):
        FixedPointLIF(1.0)
    with pytest.raises(ValueError, match="positive"):
        FixedPointLIF(threshold=0.0)


def iterated(x: torch.Tensor, start: torch.Tensor, tau: float, K: int) -> torch.Tensor:
    """The fixed-point iteration as loops over time, V carried from step to step."""
    leak, spikes = 1 - 1 / tau, torch.zeros_like(x)
    for _ in range(K):
        drive, earlier, charge = start, torch.zeros_like(start), []
        for x_t, s_t in zip(x, spikes, strict=True):
            drive = leak * drive + x_t / tau
            earlier = leak * earlier  # what the resets of earlier steps still take off
            charge.append(drive - earlier)
            earlier = earlier + s_t
        spikes = (torch.stack(charge) >= 1.0).to(x)
    return spikes


@pytest.mark.parametrize("T", [1023, 1024, 1025, 2500])
@pytest.mark.parametrize(("tau", "K"), [(2.0, 3), (50.0, 4)])
def test_sequences_longer_than_a_block(T: int, tau: float, K: int) -> None:
    torch.manual_seed(T)
    x, start = torch.rand(T, 3, dtype=torch.float64) * 2, torch.rand(3, dtype=torch.float64)
    spikes, _ = FixedPointLIF(tau, iterations=K).run(x, F.LIFState(start))
    assert torch.equal(spikes, iterated(x, start, tau, K))


def test_memory_grows_with_time_and_not_with_its_square() -> None:
    T = 100_000  # a matrix of all steps would take 40 GB
    x = (torch.rand(T, 1, 2) * 2).requires_grad_()
    spikes = FixedPointLIF(iterations=2)(x)
    spikes[-1].sum().backward()
    assert x.grad is not None
    assert x.grad[-1].abs().sum() > 0
    assert x.grad[0].abs().sum() == 0  # 2^-100,000 is 0 in any floating-point number
