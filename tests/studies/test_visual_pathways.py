"""The study visual-pathways: a known truth is found, and the recordings give known numbers."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from engram.errors import EngramError
from engram.report import Report
from engram.similarity import compare, correlation_rdm
from engram.studies.visual_pathways import VisualPathways
from engram.studies.visual_pathways.contenders import gabor_energy, one_hot, stimuli_of
from engram.studies.visual_pathways.findings import verdict
from engram.studies.visual_pathways.photographs import measured
from engram.study import execute


def rows_of(report: Report, title: str) -> list[dict]:
    (table,) = [table for table in report.tables if table.title == title]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_the_simulated_truth_is_found(tmp_path):
    study = VisualPathways(recordings=False, draws=100, steps=(8, 32))
    report = execute(study, tmp_path / "run")
    for pathway, truth in {
        "primate": {"V1": "0", "V4": "2", "IT": "4"},
        "mouse": {"VISp": "2", "VISl": "2", "VISam": "2"},
    }.items():
        rows = rows_of(report, f"Best layers: simulated {pathway}")
        for area, layer in truth.items():
            own = {row["network or control"]: row for row in rows if row["area"] == area}
            best = own["true model"]
            assert best["best layer"] == layer
            assert best["score"] == max(row["score"] for row in own.values())
            for name, row in own.items():
                if name.startswith(("other", "pixels", "grey", "Gabor")):
                    assert row["p"] < 0.05
            twin = own["its twin, T = 32"]
            assert twin["score"] == pytest.approx(best["score"], abs=0.03)
    rises = rows_of(report, "Depth of the best layer: simulated primate")
    assert [row["verdict"] for row in rises if row["network"] == "true model"] == ["rises"] * 2
    level = rows_of(report, "Depth of the best layer: simulated mouse")
    assert {row["verdict"] for row in level if row["network"] == "true model"} == {"no rise shown"}
    assert any("says nothing about brains" in note for note in report.notes)
    assert report.conclusion.startswith("simulated primate, IT: true model")
    again = execute(study, tmp_path / "again")
    assert again.fingerprint == report.fingerprint


def test_verdicts_follow_the_interval():
    assert [verdict(one) for one in ([0.2, 0.1, 0.3], [0.0, -0.1, 0.1], [-0.2, -0.3, -0.1])] == [
        "rises", "no rise shown", "falls",
    ]  # fmt: skip


def test_gabor_energy_tells_orientations_and_not_phases():
    y, x = np.mgrid[:64, :64]
    waves = [np.sin(along * np.pi / 3 + phase) for along in (x, y) for phase in (0, 1.5)]
    pixels = np.stack([(128 + 100 * one).astype(np.uint8) for one in waves])
    energy = gabor_energy(stimuli_of(pixels, 64).batch(range(4)))
    rdm = correlation_rdm(energy)  # pairs 01 02 03 12 13 23
    assert max(rdm[0], rdm[5]) < 0.05
    assert min(rdm[1:5]) > 0.5


def test_properties_have_the_rdm_of_their_differences():
    properties = np.random.default_rng(0).integers(0, 2, (12, 4))
    expected = 2 * pdist(properties.astype(float), "hamming")
    np.testing.assert_allclose(correlation_rdm(one_hot(properties)), expected, atol=1e-12)


def test_pictures_in_memory_keep_their_values_and_scale():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    same = stimuli_of(pixels, 8).batch(range(3))
    assert torch.equal(same, torch.from_numpy(pixels).permute(0, 3, 1, 2))
    assert stimuli_of(pixels[..., 0], 16).batch([0]).shape == (1, 3, 16, 16)


def test_what_makes_no_sense_is_refused(monkeypatch):
    with pytest.raises(EngramError, match="give numbers of steps, each once"):
        VisualPathways(steps=(8, 8))
    with pytest.raises(EngramError, match="stimuli"):
        VisualPathways(stimuli=5)
    monkeypatch.delenv("ENGRAM_DATA", raising=False)
    assert VisualPathways().sets() == []
    with pytest.raises(EngramError, match="no recordings 'mouse scenes'"):
        measured("mouse scenes", (8,), "quantised", ("rsa",), 0, 20)


@pytest.mark.data
def test_the_controls_have_the_known_similarity_with_monkey_it():
    path = Path(os.environ["ENGRAM_DATA"]) / "neural/kriegeskorte2008.npz"
    with np.load(path) as file:
        monkey, properties = file["rdm_monkey_it"], file["human_face_animal_natural"]
    found = [
        compare(correlation_rdm(one_hot(part)), monkey) for part in (properties[:, 2], properties)
    ]
    assert found == pytest.approx([0.453, 0.468], abs=5e-4)  # measured apart, in another program


@pytest.mark.data
@pytest.mark.slow
def test_the_pretrained_pair_on_the_92_photographs(tmp_path):
    report = execute(VisualPathways(mouse=False), tmp_path / "run")
    rows = rows_of(report, "Best layers: 92 photographs")
    monkey = {row["network or control"]: row for row in rows if row["area"] == "monkey it"}
    assert monkey["Lite0"]["score"] >= 0.40
    for name in ("silhouette", "untrained"):
        low, high = map(float, monkey[name]["its interval"].replace("−", "-").split(" to "))
        assert low < high < 0
    assert abs(monkey["twin, T = 32"]["difference"]) <= 0.03
    assert monkey["silhouette"]["score"] == pytest.approx(0.25, abs=0.005)
    assert monkey["pixels"]["score"] == pytest.approx(0.145, abs=0.005)
    ceilings = {scalar.name: scalar for scalar in report.scalars}
    for area in ("EVC", "IT"):
        scalar = ceilings[f"upper ceiling of {area}, R²"]
        assert scalar.published is not None
        assert round(float(scalar.value or 0), 4) == scalar.published.value
