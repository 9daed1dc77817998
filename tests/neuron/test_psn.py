import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engram.neuron import LIF, PSN, ATan, MaskedPSN, SlidingPSN, stream
from engram.neuron import functional as F

T, K = 12, 5


def dyadic(*shape: int, seed: int = 0) -> torch.Tensor:
    """Numbers whose products and sums are exact: however they are added, the result is the same."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-64, 65, shape, generator=generator) / 32


def compare(ours: torch.nn.Module, theirs: torch.nn.Module, x: torch.Tensor) -> None:
    weight = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    results = []
    for neuron in (ours, theirs):
        leaf = x.clone().requires_grad_()
        spikes = neuron(leaf)
        (spikes * weight).sum().backward()
        results.append((spikes.detach(), leaf.grad, neuron.weight.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert 0.02 < results[0][0].mean() < 0.98
    torch.testing.assert_close(results[0][1:], results[1][1:], rtol=1e-5, atol=1e-4)


@pytest.fixture
def rivals() -> tuple[object, object]:
    sj = pytest.importorskip("spikingjelly.activation_based.neuron")
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")
    return sj, surrogate.ATan(2.0)


@pytest.mark.parametrize("data", [dyadic, torch.randn], ids=["exact", "random"])
def test_psn_equals_spikingjelly(rivals: tuple, data) -> None:
    sj, atan = rivals
    ours, theirs = PSN(T, surrogate=ATan(2.0)), sj.PSN(T, surrogate_function=atan)
    with torch.no_grad():
        ours.weight.copy_(data(T, T))
        ours.threshold.copy_(data(T))
        theirs.weight.copy_(ours.weight)
        theirs.bias.copy_(-ours.threshold[:, None])
    compare(ours, theirs, data(T, 4, 33))
    torch.testing.assert_close(
        ours.threshold.grad, -theirs.bias.grad.flatten(), rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0])
def test_masked_psn_equals_spikingjelly(rivals: tuple, lam: float) -> None:
    sj, atan = rivals
    ours = MaskedPSN(K, T, lam=lam, surrogate=ATan(2.0))
    theirs = sj.MaskedPSN(K, T, lambda_init=lam, surrogate_function=atan, step_mode="m")
    with torch.no_grad():
        ours.threshold.copy_(dyadic(T))
        theirs.weight.copy_(ours.weight)
        theirs.bias.copy_(-ours.threshold[:, None])
    compare(ours, theirs, dyadic(T, 4, 33))


def test_sliding_psn_equals_spikingjelly(rivals: tuple) -> None:
    sj, atan = rivals
    ours = SlidingPSN(K, surrogate=ATan(2.0))
    theirs = sj.SlidingPSN(K, surrogate_function=atan, step_mode="m")
    assert torch.equal(ours.weight, theirs.weight)
    assert ours.threshold.item() == -theirs.bias.item()
    compare(ours, theirs, dyadic(T, 4, 33))


@pytest.mark.parametrize("decay_input", [True, False])
def test_lif_that_never_fires_is_the_psn_of_the_closed_form(decay_input: bool) -> None:
    tau = 2.5
    x = torch.rand(T, 64, dtype=torch.float64)
    _, state = LIF(tau, threshold=1e9, decay_input=decay_input).run(x)
    weight = F.lif_weight(tau, T, decay_input=decay_input).double()
    torch.testing.assert_close(weight[-1] @ x, state.voltage, rtol=1e-6, atol=1e-6)
    # its first spike is the first step where the charge of the matrix reaches threshold
    spikes = LIF(tau, threshold=0.6, decay_input=decay_input)(x)
    parallel = F.psn(x, weight, torch.full((T,), 0.6), ATan())
    fired = parallel.sum(0) > 0
    assert torch.equal(spikes.sum(0) > 0, fired)
    assert torch.equal(spikes.argmax(0)[fired], parallel.argmax(0)[fired])


@given(T=st.integers(1, 12), k=st.integers(1, 12))
def test_band_mask_is_the_definition(T: int, k: int) -> None:
    mask = F.band_mask(T, k)
    for i in range(T):
        for j in range(T):
            assert mask[i, j] == (j <= i <= j + k - 1)


@given(T=st.integers(1, 10), k=st.integers(1, 14), seed=st.integers(0, 99))
def test_sliding_is_the_windowed_sum(T: int, k: int, seed: int) -> None:
    weight, x = dyadic(k, seed=seed), dyadic(T, 3, seed=seed + 1)
    padded = torch.cat([torch.zeros(k - 1, 3), x])
    charge = torch.stack([weight @ padded[t : t + k] for t in range(T)])
    neuron = SlidingPSN(k)
    with torch.no_grad():
        neuron.weight.copy_(weight)
        neuron.threshold.fill_(0.5)
    assert torch.equal(neuron(x), (charge >= 0.5).float())


def test_sliding_takes_any_length_and_prefixes_agree() -> None:
    neuron, x = SlidingPSN(K), dyadic(3 * T, 9)
    for length in (1, K - 1, K, T, 3 * T):
        assert torch.equal(neuron(x[:length]), neuron(x)[:length])


def test_initial_weights_are_those_of_the_paper() -> None:
    assert SlidingPSN(4).weight.tolist() == [0.125, 0.25, 0.5, 1.0]
    uniform = torch.stack([SlidingPSN(4, exponential_init=False).weight for _ in range(2000)])
    assert 0.49 < uniform.abs().max() <= 0.5
    dense = PSN(64).weight
    assert 0.12 < dense.abs().max() <= 0.125
    assert (PSN(3).threshold == 1).all()


def test_masked_at_lambda_one_ignores_the_weights_outside_the_band() -> None:
    neuron, x = MaskedPSN(K, T, lam=1.0), dyadic(T, 40)
    before = neuron(x)
    with torch.no_grad():
        neuron.weight.add_((1 - neuron.band) * 100)
    assert torch.equal(neuron(x), before)


def test_lambda_travels_with_the_weights_and_stays_in_range() -> None:
    neuron = MaskedPSN(K, T)
    neuron.lam = 0.75
    other = MaskedPSN(K, T)
    other.load_state_dict(neuron.state_dict())
    assert other.lam == 0.75
    with pytest.raises(ValueError, match=r"lam = 1\.5"):
        neuron.lam = 1.5


@pytest.mark.parametrize("neuron", [PSN(T), MaskedPSN(K, T), MaskedPSN(K, T, lam=1.0)])
@pytest.mark.parametrize("steps", [T - 1, T + 1])
def test_refuses_a_length_that_does_not_fit(neuron: torch.nn.Module, steps: int) -> None:
    with pytest.raises(ValueError, match=rf"T={T}.*{steps} steps.*SlidingPSN"):
        neuron(dyadic(steps, 2))


def test_refuses_to_stream_past_its_length() -> None:
    neuron = MaskedPSN(K, T, lam=1.0)
    with stream(neuron):
        neuron(dyadic(T, 2))
        with pytest.raises(ValueError, match=f"{T + 1} steps"):
            neuron(dyadic(1, 2))


@pytest.mark.parametrize("neuron", [PSN(T), MaskedPSN(K, T)])
def test_refuses_to_stream_what_reads_later_inputs(neuron: torch.nn.Module) -> None:
    net = torch.nn.Sequential(torch.nn.Identity(), neuron)
    with pytest.raises(ValueError, match=r"at '1'.*SlidingPSN"), stream(net):
        pass


def test_refuses_orders_and_lengths_that_make_no_band() -> None:
    for k in (0, T + 1):
        with pytest.raises(ValueError, match=rf"k={k}, T={T}.*1 … {T}"):
            MaskedPSN(k, T)
    with pytest.raises(ValueError, match="k=0"):
        SlidingPSN(0)
    for make in (PSN, lambda T: MaskedPSN(1, T)):
        with pytest.raises(ValueError, match="T=0"):
            make(0)
