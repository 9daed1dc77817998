from typing import Any, cast

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron as sj_neuron
from torch import nn

from engram.neuron import OverTime
from engram.record import record


class Half(nn.Module):
    """Spikes where the input exceeds one half."""

    def forward(self, x):
        return (x > 0.5).float()


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Half()
        self.inner = nn.Sequential(nn.Dropout(0.9), Half())
        self.unused = Half()

    def forward(self, x):
        return self.inner(1 - self.first(x))


@pytest.fixture
def stimuli() -> torch.Tensor:
    return torch.rand(6, 10, 2, 3, generator=torch.Generator().manual_seed(0))


def spikes(stimuli: torch.Tensor) -> np.ndarray:
    return (stimuli.numpy() > 0.5).astype(float).reshape(6, 10, 6)


def hooked(model: nn.Module) -> bool:
    return any(module._forward_hooks for module in model.modules())


def test_activity_by_layer_over_batches(stimuli):
    model = Network().train()
    traces = record(model, stimuli.split(4, dim=1), ["first", "inner.1"], dt_s=0.002)
    assert list(traces) == ["first", "inner.1"]
    np.testing.assert_array_equal(traces["first"].activity, spikes(stimuli))
    np.testing.assert_array_equal(traces["inner.1"].activity, 1 - spikes(stimuli))
    assert traces["first"].dt_s == 0.002
    assert traces["inner.1"].source == "inner.1"
    assert model.training
    assert not hooked(model)


def test_the_mean_trial_weighs_trials_not_batches(stimuli):
    traces = record(Network(), stimuli.split(4, dim=1), ["first"], reduce="trials")
    expected = spikes(stimuli).mean(1, keepdims=True)
    np.testing.assert_allclose(traces["first"].activity, expected, rtol=1e-6)
    np.testing.assert_allclose(traces["first"].firing_rate, spikes(stimuli).mean((0, 1)), rtol=1e-6)


def test_a_class_names_its_modules(stimuli):
    model = nn.Sequential(Half(), nn.Identity(), Half())
    assert list(record(model, [stimuli], Half)) == ["0", "2"]


def test_the_model_itself_can_be_recorded(stimuli):
    trace = record(Half(), [stimuli], Half)[""]
    np.testing.assert_array_equal(trace.activity, spikes(stimuli))


@pytest.mark.parametrize(("dtype", "kept"), [(torch.uint8, np.uint8), (torch.bfloat16, np.float32)])
def test_the_dtype_is_kept_where_numpy_knows_it(dtype, kept, stimuli):
    trace = record(nn.Identity(), [(stimuli > 0.5).to(dtype)], nn.Identity)[""]
    assert trace.activity.dtype == kept
    np.testing.assert_array_equal(trace.activity, spikes(stimuli))


def test_hooks_and_mode_are_undone_after_an_exception(stimuli):
    model = Network().train()

    def failing():
        yield stimuli
        raise RuntimeError("no more stimuli")

    with pytest.raises(RuntimeError, match="no more stimuli"):
        record(model, failing(), ["first"])
    assert not hooked(model)
    assert model.training


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["frist"], "no layer 'frist'.*first, inner"),
        ([], "contains no layer"),
        (nn.LSTM, "contains no layer"),
        (["unused"], "'unused' ran 0 times in 1 calls"),
    ],
)
def test_a_layer_that_cannot_be_recorded_is_named(layers, message, stimuli):
    model = Network()
    with pytest.raises(ValueError, match=message):
        record(model, [stimuli], layers)
    assert not hooked(model)


def test_a_layer_that_runs_twice_is_named(stimuli):
    shared = Half()
    with pytest.raises(ValueError, match="ran 2 times"):
        record(nn.Sequential(shared, shared), [stimuli], ["0"])


def test_batches_of_unequal_length_are_refused(stimuli):
    with pytest.raises(ValueError, match=r"put out \(6, 6\).*then \(4, 6\)"):
        record(Half(), [stimuli, stimuli[:4]], Half)


def test_no_batches_are_refused():
    with pytest.raises(ValueError, match="no batch"):
        record(Half(), [], Half)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))


@pytest.mark.parametrize("batch", [8, 1])
def test_the_batch_of_an_artificial_network_is_not_time(network, batch):
    x = torch.randn(batch, 5)
    with pytest.raises(ValueError, match=r"'1' does not return 'time-first'.*layout='static'"):
        record(network, [x], ["1"])
    trace = record(network, [x, x], ["1"], layout="static")["1"]
    expected = network[:2](x).detach().numpy()
    np.testing.assert_array_equal(trace.activity, np.concatenate([expected, expected])[None])


def test_sequences_with_the_batch_first():
    gru = nn.GRU(5, 4, batch_first=True)
    net = nn.Sequential(gru)
    gru.register_forward_hook(lambda _m, _x, out: out[0])
    x = torch.randn(3, 6, 5)
    trace = record(net, [x], ["0"], layout="batch-first")["0"]
    np.testing.assert_allclose(trace.activity, gru(x).detach().transpose(0, 1).numpy(), rtol=1e-5)
    with pytest.raises(ValueError, match="layout='batch-first' if time is axis 1"):
        record(net, [x], ["0"])


def test_one_trial_without_a_batch_axis(stimuli):
    trace = record(Half(), [stimuli[:, 0]], Half, layout="single")[""]
    np.testing.assert_array_equal(trace.activity, spikes(stimuli)[:, :1])


def test_a_layout_that_is_wrong_or_none_is_refused(stimuli):
    class Running(nn.Module):
        """An integrator, so that steps depend on each other."""

        def forward(self, x):
            return x.cumsum(0)

    record(Running(), [stimuli], Running)
    with pytest.raises(ValueError, match=r"the layout stated.*state layout='time-first'"):
        record(Running(), [stimuli], Running, layout="batch-first")
    with pytest.raises(ValueError, match="choose one of time-first"):
        record(Running(), [stimuli], Running, layout=cast("Any", "sideways"))


def test_a_layer_inside_over_time_has_no_time_of_its_own(stimuli):
    net = OverTime(nn.Sequential(nn.Flatten(), nn.Linear(6, 3)))
    with pytest.raises(ValueError, match=r"folded with another axis.*record the layer around"):
        record(net, [stimuli], ["layer.1"])
    assert record(net, [stimuli], [""])[""].activity.shape == (6, 10, 3)


def test_a_layer_that_puts_out_several_tensors_is_named():
    with pytest.raises(ValueError, match="layer '' puts out a tuple"):
        record(nn.GRU(5, 4), [torch.randn(6, 3, 5)], [""])


def test_the_check_leaves_the_state_that_the_batch_left(stimuli):
    neuron: Any = sj_neuron.IFNode(step_mode="m")
    net = nn.Sequential(neuron)
    record(net, [stimuli], ["0"])
    left = neuron.v.clone()
    neuron.reset()
    net(stimuli)
    assert torch.equal(left, neuron.v)


def test_an_unknown_reduction_is_refused(stimuli):
    with pytest.raises(ValueError, match=r"reduce='mean'.*'trials'"):
        record(Network(), [stimuli], ["first"], reduce="mean")  # pyright: ignore[reportArgumentType]
