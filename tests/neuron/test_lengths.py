from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from engram.neuron import (
    LIF,
    Delay,
    MaskedPSN,
    Neuron,
    last_step,
    mask_steps,
    mean_over_time,
    pack_steps,
    stream,
    unpack_steps,
    valid_steps,
)
from tests.neuron.members import CAUSAL, MEMBERS

LENGTHS = torch.tensor([4, 7, 1, 6, 7])
T = 7
Readout = Callable[[Tensor, Tensor], Tensor]


class Net(nn.Module):
    """Linear, norm, delay and neuron, twice; nothing but lengths tells it of the padding."""

    def __init__(self, make: Callable[[], Neuron]) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)
        self.norm, self.delay = nn.BatchNorm1d(8), Delay(3, 8)
        self.hidden, self.out = make(), make()

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        x = unpack_steps(self.norm(pack_steps(self.first(x), lengths)), lengths, len(x))
        return mask_steps(self.out(self.second(self.hidden(self.delay(x)))), lengths)


def garbage(x: Tensor, lengths: Tensor, seed: int) -> Tensor:
    """The batch with large noise as padding."""
    noise = 1e6 * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype)
    real = valid_steps(lengths, len(x)).reshape(*x.shape[:2], *[1] * (x.ndim - 2))
    return torch.where(real, x, noise)


def gradients(net: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(net.parameters())))


@pytest.mark.parametrize("readout", [mean_over_time, last_step])
@pytest.mark.parametrize("make", CAUSAL.values(), ids=CAUSAL.keys())
def test_a_padded_batch_equals_each_sequence_alone(
    make: Callable[[], Neuron], readout: Readout
) -> None:
    torch.manual_seed(1)
    net = Net(make).double().eval()  # a norm in training mixes sequences by design
    x = garbage(2 * torch.randn(T, 5, 6, dtype=torch.float64), LENGTHS, 0)
    weight = torch.randn(5, 3, dtype=torch.float64)
    together = readout(net(x, LENGTHS), LENGTHS)
    alone = []
    for b, length in enumerate(LENGTHS.tolist()):
        one = x[:length, b : b + 1]
        if isinstance(net.out, MaskedPSN):  # it takes no other length
            one = torch.cat([one, one.new_zeros(T - length, 1, 6)])
        spikes = net(one, torch.tensor([length]))[:length]
        alone.append(spikes.mean(0) if readout is mean_over_time else spikes[-1])
    expected = torch.cat(alone)
    assert torch.equal(together == 0, expected == 0)
    torch.testing.assert_close(together, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        gradients(net, (together * weight).sum()),
        gradients(net, (expected * weight).sum()),
        rtol=1e-9,
        atol=1e-9,
    )


@pytest.mark.parametrize("readout", [mean_over_time, last_step])
@pytest.mark.parametrize("make", CAUSAL.values(), ids=CAUSAL.keys())
def test_padding_changes_nothing_in_training(make: Callable[[], Neuron], readout: Readout) -> None:
    torch.manual_seed(2)
    net = Net(make).double().train()
    x = torch.randn(T, 5, 6, dtype=torch.float64)
    weight = torch.randn(5, 3, dtype=torch.float64)
    results = []
    for seed in (0, 1):
        net.norm.reset_running_stats()
        padded = garbage(x, LENGTHS, seed).requires_grad_()
        loss = (readout(net(padded, LENGTHS), LENGTHS) * weight).sum()
        grads = torch.autograd.grad(loss, [padded, *net.parameters()])
        results.append([loss, *grads, net.norm.running_mean.clone()])
        assert (grads[0][~valid_steps(LENGTHS, T)] == 0).all()
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", MEMBERS.values(), ids=MEMBERS.keys())
def test_given_lengths_no_neuron_sees_the_padding(make: Callable[[], Neuron]) -> None:
    neuron, x = make(), 2 * torch.randn(T, 5, 6)
    results = []
    for seed in (0, 1):
        padded = garbage(x, LENGTHS, seed).requires_grad_()
        spikes = neuron(padded, LENGTHS)
        assert (spikes[~valid_steps(LENGTHS, T)] == 0).all()
        grads = torch.autograd.grad(spikes.sum(), [padded, *neuron.parameters()])
        assert (grads[0][~valid_steps(LENGTHS, T)] == 0).all()
        results.append([spikes, *grads])
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)


def test_batch_norm_sees_real_steps_only() -> None:
    x = garbage(torch.randn(T, 5, 6), LENGTHS, 0)
    norm = nn.BatchNorm1d(6)
    y = unpack_steps(norm(pack_steps(x, LENGTHS)), LENGTHS, T)
    rows = torch.cat([x[:length, b] for b, length in enumerate(LENGTHS.tolist())])
    mean, std = rows.mean(0), rows.std(0, correction=0)
    expected = mask_steps((x - mean) / std, LENGTHS)
    torch.testing.assert_close(y, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(norm.running_mean, 0.1 * mean)


lengths_of = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@given(lengths=lengths_of, spare=st.integers(0, 3), seed=st.integers(0, 99))
def test_readouts_and_packing_by_the_loop(lengths: list[int], spare: int, seed: int) -> None:
    T, B = max(lengths) + spare, len(lengths)
    x = torch.randn(T, B, 2, 3, generator=torch.Generator().manual_seed(seed))
    n = torch.tensor(lengths)
    masked, mean, last = mask_steps(x, n), mean_over_time(x, n), last_step(x, n)
    for b, length in enumerate(lengths):
        assert torch.equal(masked[:length, b], x[:length, b])
        assert (masked[length:, b] == 0).all()
        torch.testing.assert_close(mean[b], x[:length, b].mean(0))
        assert torch.equal(last[b], x[length - 1, b])
    packed = pack_steps(x, n)
    rows = [x[t, b] for t in range(T) for b in range(B) if t < lengths[b]]
    assert torch.equal(packed, torch.stack(rows))
    assert torch.equal(unpack_steps(packed, n, T), masked)


def test_features_may_change_between_packing_and_unpacking() -> None:
    x = torch.randn(T, 5, 3, 8, 8)
    y = unpack_steps(nn.Conv2d(3, 4, 3)(pack_steps(x, LENGTHS)), LENGTHS, T)
    assert y.shape == (T, 5, 4, 6, 6)


def test_dtypes_stay() -> None:
    x = torch.ones(T, 5, 2, dtype=torch.bfloat16)
    assert mean_over_time(x, LENGTHS).dtype == torch.bfloat16
    assert mask_steps(x, LENGTHS).dtype == torch.bfloat16
    assert mask_steps(x.bool(), LENGTHS).dtype == torch.bool
    assert last_step(x, LENGTHS.int()).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_lengths_of_any_integer_dtype(dtype: torch.dtype) -> None:
    x = torch.randn(T, 5, 2)
    for act in (mask_steps, mean_over_time, last_step, pack_steps):
        assert torch.equal(act(x, LENGTHS.to(dtype)), act(x, LENGTHS))


def test_the_mean_of_many_half_precision_spikes_is_exact() -> None:
    x = torch.ones(1000, 1, dtype=torch.bfloat16)
    assert mean_over_time(x, torch.tensor([999])).item() == 1.0


@pytest.mark.usefixtures("without_shape_checks")
def test_masks_and_readouts_compile() -> None:
    def read(x: Tensor, lengths: Tensor) -> Tensor:
        return mean_over_time(mask_steps(x, lengths), lengths) + last_step(x, lengths)

    x = torch.randn(T, 5, 2)
    compiled = torch.compile(read, fullgraph=True, backend="eager")
    assert torch.equal(compiled(x, LENGTHS), read(x, LENGTHS))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("act", [mask_steps, mean_over_time, last_step, pack_steps])
def test_refuses_lengths_that_do_not_fit(act: Readout) -> None:
    x = torch.ones(T, 3, 2)
    for bad, message in [
        (torch.tensor([1.0, 2.0, 3.0]), r"float32.*torch.tensor\(\[5, 3\]\)"),
        (torch.tensor(3), r"shape \(\)"),
        (torch.tensor([True, True, True]), "dtype torch.bool"),
        (torch.tensor([1, 0, 3]), r"\[1, 0, 3\].*1 … 7.*drop empty"),
        (torch.tensor([1, 8, 3]), r"\[1, 8, 3\].*1 … 7"),
        (torch.tensor([1, 2]), r"2 lengths.*\(7, 3, 2\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            act(x, bad)


def test_refuses_to_unpack_other_steps() -> None:
    with pytest.raises(ValueError, match=r"4 packed steps.*add up to 5"):
        unpack_steps(torch.ones(4, 2), torch.tensor([2, 3]), 3)


def test_refuses_lengths_of_a_stream() -> None:
    neuron = LIF()
    with stream(neuron), pytest.raises(ValueError, match="each sequence alone"):
        neuron(torch.ones(T, 5, 2), LENGTHS)
