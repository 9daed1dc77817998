"""What holds for every spiking neuron."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import nn

from engram.neuron import Neuron, OverTime, detach_state, reference, stream
from tests.neuron.members import CAUSAL, MEMBERS, T

every = pytest.mark.parametrize("make", MEMBERS.values(), ids=MEMBERS.keys())
causal = pytest.mark.parametrize("make", CAUSAL.values(), ids=CAUSAL.keys())
Make = Callable[[], Neuron]


def current(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) * 1.5 + 0.7


@every
@pytest.mark.parametrize("shape", [(T,), (T, 1), (T, 4), (T, 2, 3, 5), (T, 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_spikes_follow_the_input(make: Make, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = current(*shape, dtype=dtype)
    spikes = make()(x)
    assert spikes.shape == x.shape
    assert spikes.dtype == dtype
    assert ((spikes == 0) | (spikes == 1)).all()


@every
def test_neurons_do_not_mix_and_both_values_occur(make: Make) -> None:
    neuron, x = make(), current(T, 64)
    spikes = neuron(x)
    assert 0 < spikes.mean() < 1
    order = torch.randperm(64)
    assert torch.equal(neuron(x[:, order]), spikes[:, order])


@every
def test_each_call_starts_fresh(make: Make) -> None:
    neuron, x = make(), current(T, 16)
    assert torch.equal(neuron(x), neuron(x))
    assert neuron.state is None


@every
def test_strides_change_nothing(make: Make) -> None:
    neuron, x = make(), current(T, 6, 4)
    assert torch.equal(neuron(x.transpose(1, 2)), neuron(x).transpose(1, 2))
    assert torch.equal(neuron(x[:, ::2]), neuron(x)[:, ::2])
    assert torch.equal(neuron(x[:, :1].expand(T, 6, 4)), neuron(x)[:, :1].expand(T, 6, 4))


@every
def test_gradients_reach_the_input_and_every_parameter(make: Make) -> None:
    neuron, x = make(), current(T, 32).requires_grad_()
    (neuron(x) * current(T, 32)).sum().backward()
    for tensor in (x, *neuron.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().sum() > 0


@every
def test_the_reference_agrees(make: Make) -> None:
    neuron, x = make().double(), current(T, 64, dtype=torch.float64).requires_grad_()
    inputs, weight = (x, *neuron.parameters()), current(T, 64, dtype=torch.float64)
    spikes = neuron(x)
    with reference():
        expected = neuron(x)
        grads = torch.autograd.grad((expected * weight).sum(), inputs)
    assert torch.equal(spikes, expected)
    torch.testing.assert_close(
        torch.autograd.grad((spikes * weight).sum(), inputs), grads, rtol=1e-9, atol=1e-9
    )


@causal
def test_one_step_at_a_time_gives_the_same_spikes(make: Make) -> None:
    neuron, x = make(), current(T, 3, 5)
    whole = neuron(x)
    with stream(neuron, single_step=True):
        assert torch.equal(torch.stack([neuron(x_t) for x_t in x]), whole)
    assert torch.equal(neuron(x), whole)


@causal
def test_chunks_give_the_same_spikes_and_gradients(make: Make) -> None:
    neuron, x = make(), current(T, 32).double().requires_grad_()
    neuron.double()
    weight = current(T, 32).double()
    inputs = (x, *neuron.parameters())
    whole = neuron(x)
    expected = torch.autograd.grad((whole * weight).sum(), inputs)
    with stream(neuron):
        chunked = torch.cat([neuron(chunk) for chunk in x.split([1, 4, 2])])
    assert torch.equal(chunked, whole)
    got = torch.autograd.grad((chunked * weight).sum(), inputs)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


@causal
def test_later_input_does_not_change_earlier_spikes(make: Make) -> None:
    neuron, x = make(), current(T, 16)
    changed = x.clone()
    changed[4:] += 10
    assert torch.equal(neuron(changed)[:4], neuron(x)[:4])


@causal
def test_detached_state_cuts_the_gradient(make: Make) -> None:
    neuron, x = make(), current(T, 8).requires_grad_()
    with stream(neuron):
        neuron(x[:3])
        detach_state(neuron)
        neuron(x[3:]).sum().backward()
    assert x.grad is not None
    assert x.grad[:3].abs().sum() == 0
    assert x.grad[3:].abs().sum() > 0


@causal
def test_copies_do_not_carry_the_state(make: Make) -> None:
    neuron, x = make(), current(T, 8)
    whole = neuron(x)
    with stream(neuron):
        neuron(x[:3])
        for twin in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))):
            assert torch.equal(twin(x), whole)
            assert torch.equal(twin(x), whole)
        assert torch.equal(neuron(x[3:]), whole[3:])


@every
def test_state_dict_restores_the_neuron(make: Make) -> None:
    x = current(T, 64)
    neuron, other = make(), make()
    with torch.no_grad():
        for parameter in neuron.parameters():
            parameter.add_(0.1)
    assert all(isinstance(value, torch.Tensor) for value in neuron.state_dict().values())
    other.load_state_dict(neuron.state_dict())
    assert torch.equal(other(x), neuron(x))


@every
def test_runs_under_autocast(make: Make) -> None:
    neuron, layer, x = make(), nn.Linear(8, 8), current(T, 4, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spikes = neuron(layer(x))
        assert spikes.dtype == torch.bfloat16
        expected = neuron(layer(x).float())
    assert torch.equal(spikes.float(), expected)


@every
def test_a_half_precision_module_runs(make: Make) -> None:
    spikes = make().bfloat16()(current(T, 8, dtype=torch.bfloat16))
    assert spikes.dtype == torch.bfloat16


@every
def test_refuses_what_is_no_sequence(make: Make) -> None:
    neuron = make()
    with pytest.raises(ValueError, match=r"dtype torch\.int64.*x\.float\(\)"):
        neuron(torch.ones(T, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"0 steps|at least one step"):
        neuron(torch.ones(0, 2))


def test_a_layer_without_time_sees_every_step_alike() -> None:
    conv, x = nn.Conv2d(3, 4, 3), current(T, 2, 3, 8, 8)
    layer = OverTime(conv)
    steps = torch.stack([conv(x_t) for x_t in x])
    torch.testing.assert_close(layer(x), steps)
    with stream(layer, single_step=True):
        torch.testing.assert_close(torch.stack([layer(x_t) for x_t in x]), steps)
