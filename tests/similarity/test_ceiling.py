"""Ceilings: the published ones, and a perfect model under noise."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from engram.errors import EngramError
from engram.similarity import normalise, split_half, subject_ceiling, subject_score
from engram.stats import Interval


def rho(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.asarray(spearmanr(a, b))[0])


def certain(value: float) -> Interval:
    return Interval(value, value, value, 0.95)


def test_the_ceiling_leaves_each_subject_out() -> None:
    rdms = np.random.default_rng(2).random((4, 15)) + np.arange(15) / 10
    others = [np.delete(rdms, at, 0).mean(0) for at in range(4)]
    lower = np.mean([rho(a, b) for a, b in zip(rdms, others, strict=True)])
    upper = np.mean([rho(a, rdms.mean(0)) for a in rdms])
    ceiling = subject_ceiling(rdms)
    assert ceiling.lower == pytest.approx(lower, abs=1e-12)
    assert ceiling.upper == pytest.approx(upper, abs=1e-12)
    assert ceiling.own_share == 0.25
    with pytest.raises(EngramError, match="one subject has no ceiling"):
        subject_ceiling(rdms[:1])


@pytest.mark.parametrize("half", [0.2, 0.5, 0.9])
def test_a_perfect_model_scores_1_after_normalisation(half: float) -> None:
    rng = np.random.default_rng(8)
    truth = rng.normal(size=4000)
    noise = np.sqrt(10 * (1 - half) / half / 2)  # two halves of five trials correlate at `half`
    trials = truth[:, None] + noise * rng.normal(size=(40, 4000, 10))
    reliability = float(split_half(trials, rng, 5).mean())
    assert reliability == pytest.approx(2 * half / (1 + half), abs=0.01)
    score = np.mean([np.corrcoef(truth, mean)[0, 1] for mean in trials.mean(2)])
    assert normalise(float(score), certain(reliability)) == pytest.approx(1, abs=0.02)


def test_no_reliability_is_no_ceiling() -> None:
    with pytest.raises(EngramError, match=r"no ceiling: reliability 0\.01 \[-0\.1, 0\.1\]"):
        normalise(0.3, Interval(0.01, -0.1, 0.1, 0.95))


def test_missing_repeats_are_not_counted() -> None:
    rng = np.random.default_rng(1)
    trials = rng.normal(size=(3, 30, 1)) + 0.5 * rng.normal(size=(3, 30, 4))
    padded = np.concatenate([trials, np.full((3, 30, 3), np.nan)], 2)
    full = split_half(trials, np.random.default_rng(0), 400)
    assert split_half(padded, np.random.default_rng(0), 400) == pytest.approx(full, abs=0.02)
    trials[1, 7, 1:] = np.nan
    with pytest.raises(EngramError, match="neuron 1 has 1 repeats of stimulus 7"):
        split_half(trials, rng)


def algonauts(area: str) -> np.ndarray:
    h5py = pytest.importorskip("h5py")
    folder = Path(os.environ["ENGRAM_DATA"]) / "neural/algonauts2019-92"
    with h5py.File(folder / "target_fmri.mat") as file:
        rdms = np.asarray(file[f"{area}_RDMs"], np.float64)
    return rdms[np.triu_indices(92, 1)].T


@pytest.mark.data
@pytest.mark.skipif("ENGRAM_DATA" not in os.environ, reason="ENGRAM_DATA names no data")
@pytest.mark.parametrize(
    ("area", "number", "peak"), [("EVC", 0, "alexnet/conv3"), ("IT", 1, "alexnet/conv4")]
)
def test_published_ceilings_and_scores_come_out(area: str, number: int, peak: str) -> None:
    rdms = algonauts(area)
    published = (0.1589, 0.3075)[number]
    assert subject_ceiling(rdms, squared=True).upper == pytest.approx(published, abs=5e-5)
    path = Path(os.environ["ENGRAM_DATA"]) / "neural/algonauts2019-92/reference_model_rdms.npz"
    with np.load(path) as file:
        layers, models = file["layer"], file["rdm"]
        wanted = file[f"score_{area.lower()}_percent"]
    scores = np.array([subject_score(model, rdms, squared=True) for model in models])
    np.testing.assert_allclose(100 * scores / published, wanted, rtol=0, atol=1e-10)
    alexnet = [at for at, layer in enumerate(layers) if layer.startswith("alexnet")]
    assert layers[alexnet[int(scores[alexnet].argmax())]] == peak
