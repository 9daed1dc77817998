import copy
import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from engram.neuron import LIF, PSN, Neuron, OverTime, ParametricLIF, SlidingPSN
from engram.train import Recipe, SpikeLog
from engram.train.recompute import computing_again, in_chunks, recomputed
from engram.vision import Spikingformer
from tests.train import trainee


class Noise(nn.Module):
    """Adds noise of the generators of torch, NumPy and Python; counts its calls in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The input, changed by the number of calls as well."""
        self.calls += 1
        drawn = torch.rand_like(x) + np.random.rand() + random.random()  # noqa: NPY002
        return x * drawn * self.calls


def blocks() -> nn.Sequential:
    block = [nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.3), Noise()]
    members = [nn.Sequential(*copy.deepcopy(block)) for _ in range(3)]
    return nn.Sequential(*members, nn.Linear(6, 2))


MODELS = {
    "spikingformer": lambda: Spikingformer(
        2, 16, 2, steps=2, num_classes=2, in_channels=1, pools=(3, 4)
    ),
    "sequence": blocks,
}


def inputs(name: str, dtype: torch.dtype) -> torch.Tensor:
    shape = (4, 6) if name == "sequence" else (4, 1, 16, 16)
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(3))


def after_steps(name: str, dtype: torch.dtype, how: Any) -> tuple[dict[str, Any], list[Any]]:
    """Weights, gradients and buffers after three steps, and the state of the generators."""
    torch.manual_seed(1)
    np.random.seed(2)  # noqa: NPY002  a model may use it
    random.seed(3)
    model = MODELS[name]().to(dtype).train()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with recomputed(model, how):
        for _ in range(3):
            sgd.zero_grad()
            F.cross_entropy(model(inputs(name, dtype)), torch.tensor([0, 1, 1, 0])).backward()
            sgd.step()
    found = {**model.state_dict()}
    found |= {f"{key}.grad": weight.grad for key, weight in model.named_parameters()}
    return found, trainee.drawn()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", MODELS)
def test_stages_that_are_computed_again_train_bit_for_bit_as_those_that_are_kept(name, dtype):
    plain, generators = after_steps(name, dtype, "nothing")
    again, same = after_steps(name, dtype, "stages")
    assert plain.keys() == again.keys()
    assert all(torch.equal(value, again[key]) for key, value in plain.items() if value is not None)
    assert generators == same


def kept_bytes(model: nn.Module, x: torch.Tensor) -> int:
    """Bytes of distinct tensors that the forward pass keeps for the backward pass."""
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        y = model(x)
    assert y.requires_grad
    return sum(seen.values())


@pytest.mark.parametrize(("how", "share"), [("stages", 0.35), ("time", 0.35)])
def test_less_is_kept(how, share):
    if how == "stages":
        model, x = MODELS["spikingformer"](), inputs("spikingformer", torch.float32)
    else:
        model, x = along_time(torch.float32), torch.randn(16, 4, 6)
    plain = kept_bytes(model, x)
    with recomputed(model, how):
        assert kept_bytes(model, x) < share * plain


def along_time(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(4)
    layers = [
        nn.Linear(6, 8), LIF(), OverTime(nn.Linear(8, 8)), ParametricLIF(), nn.Linear(8, 8),
        nn.LayerNorm(8), SlidingPSN(3), nn.Sequential(nn.Linear(8, 8), nn.Tanh(), LIF(tau=3.0)),
    ]  # fmt: skip
    return nn.Sequential(*layers).to(dtype)


@settings(max_examples=20)
@given(st.integers(1, 12), st.integers(1, 14))
def test_chunks_of_time_have_the_outputs_and_the_gradients_of_the_whole(steps, chunks):
    model = along_time()
    x = torch.randn(steps, 3, 6, dtype=torch.float64, requires_grad=True)
    g = torch.randn(steps, 3, 8, dtype=torch.float64)
    weights = [x, *model.parameters()]
    plain = model(x)
    expected = torch.autograd.grad(plain, weights, g)
    with recomputed(model, "time", chunks):
        again = model(x)
        found = torch.autograd.grad(again, weights, g)
    assert torch.equal(plain, again)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_outside_the_context_and_without_gradients_the_model_is_as_before():
    model = along_time()
    x = torch.randn(5, 3, 6, dtype=torch.float64)
    with recomputed(model, "time"), torch.no_grad():
        inside = model(x)
    assert torch.equal(inside, model(x))
    assert "forward" not in vars(model)


def test_a_copy_computes_with_its_own_weights():
    model = MODELS["sequence"]().eval()
    with recomputed(model, "stages"):
        other = copy.deepcopy(model)
        nn.init.zeros_(other[3].weight)
        nn.init.zeros_(other[3].bias)
        x = inputs("sequence", torch.float32)
        assert not other(x).any()
        assert model(x).any()


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (nn.BatchNorm1d(8), "BatchNorm1d at '1' normalises by the statistics of all steps"),
        (OverTime(nn.BatchNorm1d(8)), "BatchNorm1d at '1.layer' normalises"),
        (nn.Dropout(0.1), "Dropout at '1' would draw other numbers"),
        (PSN(4), "PSN at '1' reads later steps"),
        (nn.Flatten(), "Flatten at '1' may mix steps; if it knows no time, wrap it in OverTime"),
    ],
)
def test_a_layer_that_needs_all_steps_at_once_is_named(layer, named):
    model = nn.Sequential(nn.Linear(6, 8), layer)
    with pytest.raises(ValueError, match=named), recomputed(model, "time"):
        pass


def test_the_batch_norm_of_a_vision_model_is_named_and_what_to_choose():
    model = MODELS["spikingformer"]()
    with (
        pytest.raises(ValueError, match=r"tokenizer\.0\.project\.bn.*choose recompute='stages'"),
        recomputed(model, "time"),
    ):
        pass


def test_what_does_not_name_its_stages_is_refused():
    with (
        pytest.raises(ValueError, match=r"Linear does not say what its stages are.*stages\(\)"),
        recomputed(nn.Linear(2, 2), "stages"),
    ):
        pass
    with pytest.raises(ValueError, match="time_chunks=0"), recomputed(along_time(), "time", 0):
        pass
    with pytest.raises(ValueError, match="compiled and recompute"):
        Recipe(compiled=True, recompute="stages")


def test_hooks_of_layers_in_chunks_are_refused_because_they_are_not_called():
    model = along_time()
    SpikeLog(model, Neuron)
    with recomputed(model, "time"), pytest.raises(ValueError, match="does not call the hooks of 1"):
        model(torch.randn(5, 3, 6, dtype=torch.float64))


def test_spikes_are_logged_once():
    model = MODELS["spikingformer"]()
    logs = []
    for how in ("nothing", "stages"):
        log = SpikeLog(model, Neuron)
        with recomputed(model, how):
            model(inputs("spikingformer", torch.float32)).sum().backward()
        log.after_step([])
        logs.append({name: len(calls) for name, calls in log.steps[0].items()})
    assert logs[0] == logs[1]
    assert not computing_again()


def test_a_training_does_not_depend_on_what_is_computed_again(tmp_path):
    results = [
        trainee.result(*trainee.start(tmp_path / how, recipe=trainee.recipe_of(recompute=how)))
        for how in ("nothing", "stages")
    ]
    assert results[0] == results[1]
    with pytest.raises(ValueError, match="recompute='nothing' became 'stages'"):
        trainee.start(tmp_path / "nothing", recipe=trainee.recipe_of(recompute="stages"))


def test_chunks_are_parts_of_the_steps():
    x = torch.randn(7, 2, 6, dtype=torch.float64)
    layers = [nn.Linear(6, 8).double()]
    torch.testing.assert_close(in_chunks(layers, x, 3), layers[0](x))
