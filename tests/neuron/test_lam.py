"""λ of the masked PSN is state that trains: it travels as parameters and buffers do."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engram.neuron import MaskedPSN, stream

T = 7


def masked(lam: float) -> MaskedPSN:
    torch.manual_seed(0)
    return MaskedPSN(2, T, lam=lam)


def test_lam_travels_as_buffers_do() -> None:
    net = nn.Sequential(masked(0.0))
    averages = [
        AveragedModel(net, use_buffers=True),
        AveragedModel(net),
        AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.5), use_buffers=True),
    ]
    values, data = copy.deepcopy(net), copy.deepcopy(net)
    masked_in(net).lam = 1.0
    for average in averages:
        average.update_parameters(net)
        assert masked_in(average).lam == 1.0
        assert masked_in(average).causal
    with torch.no_grad():  # as EMA tools copy
        for to, value in zip(values.state_dict().values(), net.state_dict().values(), strict=True):
            to.copy_(value)
    for to, value in zip(data.buffers(), net.buffers(), strict=True):
        to.data.copy_(value.data)
    for twin in (values, data, copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert masked_in(twin).lam == 1.0
        assert torch.equal(twin(torch.ones(T, 3)), net(torch.ones(T, 3)))
        with stream(twin):
            twin(torch.ones(2, 3))


def test_lam_is_read_from_where_earlier_versions_kept_it() -> None:
    neuron = masked(0.25)
    state = neuron.state_dict()
    assert state["_lam"] == 0.25
    assert state.pop("_lam").dtype == torch.float64
    for value in (torch.tensor(0.75, dtype=torch.float64), torch.tensor(1.0)):
        other = nn.Sequential(masked(0.0))
        earlier = {f"0.{key}": kept for key, kept in (state | {"_extra_state": value}).items()}
        other.load_state_dict(earlier)
        assert masked_in(other).lam == value
        assert torch.equal(masked_in(other).weight, neuron.weight)
    with pytest.raises(ValueError, match=r"_lam = 1\.5.*0 to 1"):
        neuron.load_state_dict(state | {"_lam": torch.tensor(1.5)})


def test_lam_keeps_its_precision() -> None:
    for change in (nn.Module.half, nn.Module.bfloat16, nn.Module.float, nn.Module.double):
        neuron = masked(0.9999)
        change(neuron)
        assert neuron.lam == 0.9999
        assert not neuron.causal
        assert neuron(torch.ones(T, 3, dtype=neuron.weight.dtype)).dtype == neuron.weight.dtype
    with torch.device("meta"):
        assert "lam=?" in repr(MaskedPSN(2, T))


def masked_in(net: nn.Module) -> MaskedPSN:
    return next(m for m in net.modules() if isinstance(m, MaskedPSN))
