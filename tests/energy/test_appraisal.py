import json

import pytest
import torch
from torch import nn

from engram.energy import INT8, Memory, appraisal, count
from engram.energy.appraisal import Costs, appraise
from engram.neuron import LIF, Neuron, OverTime


class Small(nn.Module):
    """Two layers, one step after another."""

    steps = 3

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.neuron = LIF(threshold=0.2)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.neuron(self.stem(x).expand(3, -1, -1, -1, -1))
        return self.head(OverTime(self.conv)(x).mean((0, 3, 4)))


@pytest.fixture
def small() -> tuple[nn.Module, list[torch.Tensor]]:
    torch.manual_seed(0)
    return Small(), [torch.randn(5, 1, 6, 6)]


def test_it_is_what_json_can_hold(small):
    found = appraise(*small)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_layers_sum_to_the_whole(small):
    found = appraise(*small)
    layers, operations = found["layers"], found["operations"]
    assert [layer["name"] for layer in layers] == [
        "stem/convolution",
        "conv/convolution",
        "head/matmul",
    ]
    assert sum(one["energy_j"] for one in layers) == pytest.approx(found["energy_j"]["compute"])
    assert sum(one["effective"] for one in layers if one["adds"]) == operations["Effective_ACs"]
    counted = count(*small, neurons=(Neuron,))
    assert operations == counted.neurobench() | {
        "nominal": counted.nominal,
        "updates": counted.membrane_updates,
    }
    assert found["rates"].keys() == {"neuron"}
    assert found["verdict"]["spike_driven"]


def test_costs_reach_every_energy(small):
    usual, cheap = appraise(*small), appraise(*small, costs=Costs(INT8, Memory(0, 0)))
    energy = cheap["energy_j"]
    assert energy["compute"] < usual["energy_j"]["compute"]
    assert energy["memory"] == energy["events"] == energy["compute"] + energy["neurons"]
    assert usual["energy_j"]["events"] > usual["energy_j"]["memory"]


def test_tables_and_scalars_say_it(small):
    found = appraise(*small, allow=["stem"])
    rows = appraisal.layer_table(found).rows
    assert [row[1] for row in rows] == ["real × weight", "binary × weight", "real × weight"]
    assert [row[4] is None for row in rows] == [False, True, False]
    assert [row[5] is None for row in rows] == [True, False, True]
    excepted = {row[0]: row[-1] for row in appraisal.verdict_table(found).rows}
    assert excepted == {"head/matmul": None, "stem/convolution": "stem"}
    text = appraisal.verdict_text(found)
    assert text.startswith("Not spike-driven. 1 operations, ")
    values = {scalar.name: scalar.value for scalar in appraisal.scalars(found)}
    energy = found["energy_j"]
    assert values["energy, arithmetic alone"] == pytest.approx(1e6 * energy["compute"])
    assert values["that of the 2-bit network at equal information"] == pytest.approx(
        1e6 * energy["quantised"]
    )


def test_a_verdict_says_all_that_speaks_against():
    verdict = {
        "spike_driven": False,
        "offences": [],
        "allowed": [],
        "silent": ["a", "b"],
        "leaks": 2,
        "repeatable": False,
        "unseen": ["x::y"],
    }
    text = appraisal.verdict_text({"verdict": verdict})
    for words in (
        "2 samples depend",
        "state is not reset",
        "x::y",
        "2 operations received no spikes",
    ):
        assert words in text


def test_bars_are_no_more_than_fit():
    paths = [f"a.{i}.{j}" for i in range(4) for j in range(3)]
    assert appraisal.grouped(paths) == paths
    many = [f"a.{i}.{j}" for i in range(10) for j in range(3)]
    assert appraisal.grouped(many) == [path.rpartition(".")[0] for path in many]
    assert set(appraisal.grouped([f"b{i}" for i in range(99)])) == {f"b{i}" for i in range(99)}


def test_the_chart_has_all_the_energy(small):
    found = appraise(*small)
    series = appraisal.energy_series(found)
    assert list(series.index) == ["stem", "conv", "head"]
    assert sum(v for v in series.values if v) == pytest.approx(1e6 * found["energy_j"]["compute"])
