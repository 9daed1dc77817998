import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engram.train import choose_precision
from engram.train.precision import Precision

BATCH = torch.randn(4, 6), torch.tensor([0, 1, 2, 0])


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))


def clock(narrow_s: float):
    """A clock by which a step takes 1 s in float32 and so many in bfloat16."""
    return lambda choice, *_: 1.0 if choice.dtype == torch.float32 else narrow_s


@pytest.mark.parametrize(
    ("narrow_s", "dtype"),
    [(0.5, torch.bfloat16), (0.95, torch.float32), (1.0, torch.float32), (40.0, torch.float32)],
)
def test_the_faster_format_is_chosen_and_both_times_are_named(monkeypatch, narrow_s, dtype):
    monkeypatch.setattr("engram.train.precision._step_s", clock(narrow_s))
    found = choose_precision("auto", model(), BATCH, F.cross_entropy)
    assert found.dtype == dtype
    assert "1e+03 ms in float32" in found.reason
    assert f"{1e3 * narrow_s:.3g} ms in bfloat16" in found.reason


def test_a_choice_changes_neither_the_model_nor_the_generator():
    net, before = model(), torch.get_rng_state()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    choose_precision("auto", net, BATCH, F.cross_entropy)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())
    assert all(weight.grad is None for weight in net.parameters())


@pytest.mark.parametrize(("name", "named"), [("float16", "GPUs"), ("half", "choose auto")])
def test_a_format_that_cannot_be_is_refused(name, named):
    with pytest.raises(ValueError, match=named):
        choose_precision(name, model(), BATCH, F.cross_entropy)


def test_products_are_computed_in_the_format():
    for dtype in (torch.float32, torch.bfloat16):
        with Precision(dtype, "").context(torch.device("cpu")):
            assert nn.Linear(6, 3)(BATCH[0]).dtype == dtype
