"""The false alarms and the power that `python -m benchmarks.relate` measures."""

import json

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks import relate as bench
from benchmarks.harness import RESULTS, read

WALKS = ("random walk", "drifting random walk", "AR(1), φ = 0.9", "AR(1), φ = 0.5")


def false_alarms(world: str, years: int, pairs: int) -> int:
    rng, make = np.random.default_rng([7, years]), bench.WORLDS[world]
    count = 0
    for _ in range(pairs):
        a, b = (bench.as_yearly(name, make(years, rng)) for name in ("term", "indicator"))
        count += bench.prewhiten([a], [b], bench.STEPS, rng, 199).flips.family.min() <= bench.ALPHA
    return count


@pytest.mark.parametrize("world", WALKS[:2])
def test_few_false_alarms_on_walks(world):
    pairs = 300
    # no more than 6% in truth: more than this happens once in ten thousand times
    assert false_alarms(world, 120, pairs) <= binom.ppf(1 - 1e-4, pairs, 0.06)


@pytest.mark.slow
@pytest.mark.parametrize("years", bench.YEARS)
@pytest.mark.parametrize("world", WALKS)
def test_at_most_six_percent_of_two_thousand_pairs_of_walks_are_called_related(world, years):
    assert false_alarms(world, years, 2000) / 2000 <= 0.06


def test_a_planted_relation_is_found():
    found = bench.power_batch(0.5, 230, 10, [1])
    assert sum(one["found among 132 cells"] for one in found) >= 9


def test_the_committed_calibration_keeps_the_bars():
    measured = read(RESULTS / "relate-calibration.json")
    walks = [row for row in measured["null"] if row["series"] in WALKS]
    assert len(walks) == len(WALKS) * len(bench.YEARS)
    assert all(row["verdict, 11 lags"]["percent"] <= 6 for row in walks)
    assert all(row["verdict, 11 lags"]["of"] >= 2000 for row in walks)
    assert all(row["verdict on any of 132 cells"]["percent"] <= 6 for row in measured["family"])


def test_the_benchmark_writes_every_part(tmp_path, monkeypatch, capsys):
    path = tmp_path / "found.json"
    monkeypatch.setattr(bench, "WORLDS", {"random walk": bench.WORLDS["random walk"]})
    monkeypatch.setattr(bench, "YEARS", (60,))
    monkeypatch.setattr(
        bench, "shares", lambda batch, case, *rest: {"n": len(batch(case, 60, 1, [0]))}
    )
    monkeypatch.setattr(
        "sys.argv", ["relate", "--pairs", "1", "--only", "null", "--out", str(path)]
    )
    bench.main()
    assert json.loads(path.read_text())["null"] == [{"series": "random walk", "years": 60, "n": 1}]
    assert capsys.readouterr().out == "null: done\n"
