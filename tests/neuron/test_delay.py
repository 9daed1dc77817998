import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engram.neuron import Delay, detach_state, stream
from engram.neuron.delay import delayed

T = 11


@given(
    delay=st.floats(0, 6),
    T=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_interpolates_between_whole_steps(delay: float, T: int, seed: int) -> None:
    x = torch.randn(T, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    layer = Delay(6, delay=delay).double()
    with torch.no_grad():
        layer.delay.fill_(delay)
    y = layer(x)
    for t in range(T):
        # the value at time t − d of the polyline through the samples, zero before the first
        expected = torch.zeros(3, dtype=torch.float64)
        for s in range(T):
            expected += max(0.0, 1 - abs(t - delay - s)) * x[s]
        torch.testing.assert_close(y[t], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", range(7))
def test_a_whole_delay_is_a_shift(n: int) -> None:
    x = torch.randn(T, 2, 4)
    y = Delay(6, delay=float(n))(x)
    assert torch.equal(y[n:], x[: T - n])
    assert (y[:n] == 0).all()


def test_each_channel_has_its_delay() -> None:
    layer, x = Delay(5, 4), torch.randn(T, 2, 4, 3)
    with torch.no_grad():
        layer.delay.copy_(torch.tensor([0.0, 1.5, 4.0, 5.0]))
    y = layer(x)
    for c, delay in enumerate(layer.delay.tolist()):
        assert torch.equal(y[:, :, c], Delay(5, delay=delay)(x[:, :, c]))


def test_gradients() -> None:
    torch.manual_seed(0)
    seen = torch.randn(9, 2, 3, dtype=torch.float64, requires_grad=True)
    delay = torch.tensor([0.3, 1.7, 3.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s, d: delayed(s, d, 4), (seen, delay))


@pytest.mark.parametrize("start", [0.0, 2.0, 6.0, 9.0, -3.0])
def test_learns_the_delay_of_a_signal_even_from_whole_delays_and_beyond_the_bounds(
    start: float,
) -> None:
    time = torch.arange(80.0)
    x, target = torch.sin(time / 4)[:, None], torch.sin((time - 3.3) / 4)[:, None]
    layer = Delay(6)
    with torch.no_grad():
        layer.delay.fill_(start)
    optimizer = torch.optim.SGD(layer.parameters(), lr=5.0)
    for _ in range(60):
        optimizer.zero_grad()
        (layer(x) - target)[8:].square().mean().backward()
        optimizer.step()
    assert layer.delay.item() == pytest.approx(3.3, abs=0.05)


@pytest.mark.parametrize("chunks", [[1] * T, [4, 1, 6]])
def test_streams(chunks: list[int]) -> None:
    layer = Delay(5, 4).double()
    x = torch.randn(T, 2, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(T, 2, 4, dtype=torch.float64)
    inputs, whole = (x, layer.delay), layer(x)
    with stream(layer):
        chunked = torch.cat([layer(chunk) for chunk in x.split(chunks)])
    assert torch.equal(chunked, whole)
    torch.testing.assert_close(
        torch.autograd.grad((chunked * weight).sum(), inputs),
        torch.autograd.grad((whole * weight).sum(), inputs),
    )
    with stream(layer, single_step=True):
        assert torch.equal(torch.stack([layer(x_t) for x_t in x]), whole)
    assert torch.equal(layer(x), whole)


def test_detached_history_cuts_the_gradient() -> None:
    layer, x = Delay(3, delay=1.0), torch.randn(T, 2, requires_grad=True)
    with stream(layer):
        layer(x[:5])
        detach_state(layer)
        layer(x[5:]).sum().backward()
    assert x.grad is not None
    assert (x.grad[:5] == 0).all()
    assert (x.grad[5:-1] == 1).all()


def test_later_input_does_not_change_earlier_output() -> None:
    layer, x = Delay(3), torch.randn(T, 4)
    changed = x.clone()
    changed[5:] = 1e30
    assert torch.equal(layer(changed)[:5], layer(x)[:5])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_follows_the_dtype_of_the_input(dtype: torch.dtype) -> None:
    x = torch.randn(T, 2, 4).to(dtype)
    assert Delay(3, 4)(x).dtype == dtype
    assert Delay(3, 4).to(dtype)(x).shape == x.shape


def test_copies_and_restores() -> None:
    layer, x = Delay(5, 4), torch.randn(T, 2, 4)
    with stream(layer):
        layer(x[:3])
        twins = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    for twin in twins:
        assert torch.equal(twin(x), layer(x))
    other = Delay(5, 4)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), layer(x))


def test_starts_anywhere_in_range() -> None:
    delays = Delay(8, 5000).delay
    assert 0 <= delays.min() < 0.1
    assert 7.9 < delays.max() <= 8


def test_refuses_delays_out_of_range() -> None:
    with pytest.raises(ValueError, match="max_delay=0"):
        Delay(0)
    with pytest.raises(ValueError, match=r"delay=4\.0.*0 … 3"):
        Delay(3, delay=4.0)
    with pytest.raises(ValueError, match="channels=0"):
        Delay(3, 0)
    with pytest.raises(ValueError, match="4 channels"):
        Delay(3, 4)(torch.ones(T, 2, 5))
