"""Features of stimuli: layouts, time, state, projections, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron as sj_neuron
from torch import Tensor, nn

from engram.errors import EngramError
from engram.record import collect, first_spike, leaves, step_of, tap
from engram.record.features import kept_columns


class InTime(nn.Module):
    """Returns `(time, batch, features)`."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x * (step + 1) for step in range(3)])


class Whole(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.time = nn.Linear(6, 4), InTime()
        self.fold, self.pair = nn.Flatten(0, 1), Pair()

    def forward(self, x: Tensor) -> Tensor:
        found = self.pair(self.time(self.linear(x)))[0]
        return self.fold(found).sum()


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, str]:
        return x + 1, "second"


class Stepwise(nn.Module):
    """A network that is called step by step and keeps its state."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.linear = nn.Linear(6, 4)
        self.neuron = sj_neuron.IFNode()

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.neuron(self.linear(x)) for _ in range(self.steps)]).mean(0)


def pictures(count: int = 7) -> Tensor:
    return torch.rand(count, 6, generator=torch.Generator().manual_seed(1))


def test_layers_of_every_layout_give_one_row_per_sample():
    model, x = Whole(), pictures()
    names = ["linear", "time", "pair", "fold"]
    with tap(model, names, x[:2]) as found:
        features = found.run(x)
        assert list(found.left_out) == ["fold"]
    assert "folded with another axis" in found.left_out["fold"]
    plain = model.linear(x)
    torch.testing.assert_close(features["linear"], plain)
    torch.testing.assert_close(features["time"], 2 * plain)  # the mean of 1, 2 and 3 times
    torch.testing.assert_close(features["pair"], 2 * plain + 1)
    assert not any(part._forward_hooks for part in model.modules())


def test_time_can_be_resolved():
    model, x = Whole(), pictures()
    with tap(model, ["time"], x[:2], step_of(2)) as found:
        torch.testing.assert_close(found.run(x)["time"], 3 * model.linear(x))
    with (
        tap(model, ["time"], x[:2], step_of(3)) as found,
        pytest.raises(EngramError, match="step 3 of 3"),
    ):
        found.run(x)
    spikes = torch.tensor([[[0.0, 1.0, 0.0]], [[1.0, 1.0, 0.0]]])
    assert first_spike(spikes).tolist() == [[1.0, 0.0, 2.0]]


def test_calls_are_accumulated_and_state_is_set_back(tmp_path):
    model, x = Stepwise(4), pictures()
    with tap(model, ["neuron"], x[:2]) as found:
        whole = found.run(x)["neuron"]
        again = found.run(x)["neuron"]
        alone = torch.cat([found.run(one)["neuron"] for one in x.split(1)])
        files = collect(found.run, x.split(3), 7, tmp_path)
    assert torch.equal(whole, again)
    assert torch.equal(whole, alone)  # spikes are whole numbers: bit for bit
    np.testing.assert_array_equal(files["neuron"].values(), whole.numpy())
    # integrate-and-fire by hand
    current, potential, count = model.linear(x).detach(), torch.zeros(7, 4), torch.zeros(7, 4)
    for _ in range(4):
        potential += current
        count += potential >= 1
        potential[potential >= 1] = 0
    torch.testing.assert_close(whole, count / 4)


def test_samples_that_depend_on_each_other_are_refused():
    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x - x.mean(0)

    with pytest.raises(EngramError, match="depend on the others"), tap(Mean(), [""], pictures()):
        pass
    with pytest.raises(EngramError, match="no layer 'x'"), tap(Whole(), ["x"], pictures()):
        pass
    with pytest.raises(EngramError, match="two or more"), tap(Whole(), ["linear"], pictures(1)):
        pass


def test_a_projection_keeps_products_and_means(tmp_path):
    generator = torch.Generator().manual_seed(0)
    base = torch.rand(12, 40_000, generator=generator)
    x = base + 3 * torch.rand(12, 1, generator=generator)
    (found,) = collect(lambda batch: {"a": batch}, x.split(5), 12, tmp_path, 12 * 4 * 4100).values()
    assert found.projected
    assert found.kept == 4099 + 1  # 4099 is a prime number
    z, y = found.values().astype(np.float64), x.double().numpy()
    np.testing.assert_allclose(z[:, -1] / 200, y.mean(1), rtol=1e-5)
    centred = y - y.mean(1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1)
    error = (z[:, :-1] @ z[:, :-1].T - centred @ centred.T) / np.outer(norms, norms)
    assert np.abs(error).max() < 4.5 / np.sqrt(4099)
    assert np.sqrt((error**2).mean()) < 1.5 * np.sqrt(2 / 4099)


@pytest.mark.parametrize(("size", "kept"), [(8192, 8192), (10**6, 4094), (100, 100)])
def test_only_large_layers_are_projected(size, kept):
    assert kept_columns(size, 3200, 3200 * 4 * 4095) == kept


def test_what_cannot_be_kept_is_refused(tmp_path: Path):
    def run(batch: Tensor) -> dict[str, Tensor]:
        return {"a": batch}

    with pytest.raises(EngramError, match="7 stimuli ran and 8"):
        collect(run, pictures().split(3), 8, tmp_path)
    broken = pictures()
    broken[3, 2] = torch.nan
    with pytest.raises(EngramError, match="layer 'a' gives NaN"):
        collect(run, [broken], 7, tmp_path)
    with pytest.raises(EngramError, match="give stimuli of one size"):
        collect(run, [pictures(), pictures()[:, :3]], 14, tmp_path)


def test_containers_are_opened_and_idle_layers_left_out():
    model = nn.Sequential()
    model.add_module("stem", nn.Conv2d(3, 4, 3))
    model.add_module("blocks", nn.Sequential(nn.ReLU(), nn.Dropout(), nn.Conv2d(4, 4, 3)))
    model.add_module("flat", nn.Flatten())
    assert leaves(model) == ["stem", "blocks.0", "blocks.2"]
