"""The study criticality: peaks, a small run, and the reference numbers of the model."""

import os

import numpy as np
import pytest
import torch
from torch import nn

from engram.errors import EngramError
from engram.neuron import IF
from engram.report import Report
from engram.studies.criticality.network import Job, measure, onset
from engram.studies.criticality.peak import over_seeds, peak, sign_flip
from engram.studies.criticality.study import Criticality, radii_of
from engram.studies.criticality.trained import damage
from engram.study import execute


def cells(report: Report, title: str) -> list[list]:
    (table,) = [table for table in report.tables if table.title == title]
    return [list(row) for row in table.rows]


def test_the_peak_of_a_parabola_is_its_vertex_whatever_the_spacing():
    radii = [0.9, 0.97, 1.0, 1.04, 1.1]
    assert peak(radii, [3 - 40 * (x - 1.013) ** 2 for x in radii]) == pytest.approx(1.013)
    assert peak(radii, [None, *radii[1:]]) == 1.1  # at the end it is the end
    assert peak(radii, [1.0, 1.0, 1.0, 1.0, 1.0]) == 0.9


def test_a_sign_flips_where_the_line_crosses_zero_for_the_last_time():
    assert sign_flip([0, 1, 2, 3, 4], [1, -1, 1, 3, -1]) == pytest.approx(3.75)
    assert sign_flip([0, 1, 2], [-1, -1, 1]) is None
    assert sign_flip([0, 1, 2], [1, None, -1]) == pytest.approx(1.0)


def test_the_interval_over_seeds_is_students_and_missing_seeds_give_none():
    runs = [[0.0, 1.0, 0.0], [0.0, 1.0, 0.5]]
    found = over_seeds(peak, [0.0, 1.0, 2.0], runs)
    assert found is not None
    assert found.low < 1.0 < found.estimate < found.high
    assert over_seeds(sign_flip, [0.0, 1.0, 2.0], runs) is None


def test_one_flipped_input_spike_changes_what_brute_force_says():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6, bias=False), IF(), nn.Linear(6, 5, bias=False), IF())
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.rand_like(weight))
    inputs = (torch.rand(7, 3, 4) < 0.5).float()
    found = damage(net, inputs, np.random.default_rng(5))
    units = np.random.default_rng(5).integers(0, 4, 3)
    changed = inputs.clone()
    for sample, unit in enumerate(units):
        changed[0, sample, unit] = 1 - changed[0, sample, unit]
    first = [net[1](net[0](x)) for x in (inputs, changed)]
    second = [net[3](net[2](x)) for x in first]
    for name, (a, b) in (("1", first), ("3", second)):
        assert found[name] == pytest.approx(float((a != b).sum()) / 3)
    assert found["1"] > 0


def test_larger_networks_are_simulated_closer_to_the_critical_point():
    assert radii_of(1000)[0] == 0.98
    assert np.allclose(np.array(radii_of(4000)) - 1, (np.array(radii_of(1000)) - 1) / 2, atol=1e-4)


def test_a_small_study_reports_every_part_and_repeats_itself(tmp_path, monkeypatch):
    monkeypatch.delenv("ENGRAM_DATA", raising=False)
    study = Criticality(
        n=150, steps=6000, degree=10, sizes=(150,), seeds=1, draws=20, workers=1, trained=False
    )
    report = execute(study, tmp_path / "one")
    titles = [section.title for section in report.sections]
    assert titles == [
        "Signs along λ", "Finite size", "Onset of a stimulus", "Avalanches", "Recordings",
    ]  # fmt: skip
    assert report.to_dict()["answer"].startswith("The irregularity CV peaks at λ = ")
    assert len(cells(report, "Where each sign peaks")) == 7
    assert execute(study, tmp_path / "two").fingerprint == report.fingerprint


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"degree": 300}, "degree"), ({"steps": 10}, "steps"), ({"sizes": ()}, "at least one size")],
)
def test_settings_that_cannot_fit_are_refused_at_once(settings, message):
    with pytest.raises(EngramError, match=message):
        Criticality(**settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("radius", "before", "after"), [(0.8, 1.01, 1.00), (1.0, 1.72, 1.12), (1.1, 0.91, 0.87)]
)
def test_the_fano_factor_falls_at_onset_as_in_the_reference_run(radius, before, after):
    runs = [onset(Job(1000, 20, radius, 1e-3, 60_000, seed), 0.02) for seed in range(3)]
    for name, value in (("before", before), ("after", after)):
        found = np.array([run[name] for run in runs], dtype=float)
        assert abs(found.mean() - value) < max(3 * found.std(ddof=1), 0.02)


@pytest.mark.slow
def test_the_peak_approaches_the_critical_point_with_size():
    places = {}
    for size in (250, 500, 1000, 2000, 4000):
        radii = radii_of(size)
        runs = [
            [measure(Job(size, 20, radius, 1 / size, 60_000, seed))["CV"] for radius in radii]
            for seed in range(3)
        ]
        found = over_seeds(peak, radii, runs)
        assert found is not None
        places[size] = abs(found.estimate - 1)
    distances = list(places.values())
    assert distances == sorted(distances, reverse=True)
    assert places[4000] <= 0.015


@pytest.mark.data
def test_the_recordings_that_the_folder_has_are_found():
    from engram.studies.criticality.recordings import SOURCES, available, measured

    assert os.environ["ENGRAM_DATA"]
    assert available() == list(SOURCES)
    found = measured(SOURCES[1], seed=0, draws=20)
    assert (found["units"], found["spikes"]) == (43, 11_013)
    assert 0.7 < found["m"][0] < 1
