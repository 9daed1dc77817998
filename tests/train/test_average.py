from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from engram.train import Average


def test_the_average_follows_its_equation_and_is_applied_for_a_while():
    model = nn.Linear(1, 1, bias=False).double()
    average, expected = Average(model, 0.9), model.weight.item()
    for step, value in enumerate(torch.randn(50).tolist()):
        nn.init.constant_(model.weight, value)
        average.after_step([0.1])
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    own = model.weight.item()
    with average.applied():
        assert model.weight.item() == pytest.approx(expected, rel=1e-12)
    assert model.weight.item() == own


def test_a_restored_average_is_the_same():
    model = nn.Linear(3, 2)
    average = Average(model, 0.99)
    for _ in range(3):
        nn.init.normal_(model.weight)
        average.after_step([0.1])
    other = Average(nn.Linear(3, 2), 0.99)
    other.load_state_dict(average.state_dict())
    assert other.steps == 3
    assert torch.equal(other.state_dict()["mean"]["weight"], average.state_dict()["mean"]["weight"])


@pytest.mark.parametrize("decay", [1.0, -0.1, float("nan")])
def test_a_decay_out_of_range_is_named(decay):
    with pytest.raises(ValueError, match=f"decay {decay}"):
        Average(nn.Linear(1, 1), decay)


class Soft(nn.Module):
    """Soft threshold of a weight, by a threshold that is learned or set."""

    averaged = False
    threshold: torch.Tensor

    def __init__(self, threshold: float, *, learned: bool) -> None:
        super().__init__()
        value = torch.tensor(threshold)
        if learned:
            self.register_parameter("threshold", nn.Parameter(value))
        else:
            self.register_buffer("threshold", value)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight, of which values up to the threshold are zero."""
        return weight.sign() * (weight.abs() - self.threshold).relu()


@pytest.mark.parametrize("learned", [False, True])
def test_the_average_of_a_pruned_model_has_the_sparsity_of_the_present_threshold(learned):
    model: Any = nn.Linear(30, 40, bias=False)
    parametrize.register_parametrization(model, "weight", Soft(0.0, learned=learned))
    average, raw = Average(model, 0.5), model.parametrizations.weight.original
    for step in range(6):
        nn.init.normal_(raw)
        model.parametrizations.weight[0].threshold.data.fill_(0.1 * step)
        average.after_step([0.1])
    with average.applied():
        found = (model.weight == 0).double().mean().item()
        assert found == (raw.detach().abs() <= 0.5).double().mean().item()
        assert 0.3 < found < 1
