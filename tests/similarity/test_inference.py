"""Intervals in resamples against expanded samples, laws, and known populations."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from engram.errors import EngramError
from engram.similarity import (
    cka,
    compare,
    correlation_rdm,
    crossed_score,
    depth_trend,
    jackknifed,
    leave_one_out_ridge,
    nested_choice,
    neuron_reliability,
    permuted_chance,
    ridge_resampled,
    rsa_resampled,
    score,
    subject_reliability,
    svcca,
)
from engram.stats import Crossed, Interval, crossed_interval, crossed_test


def population(
    rng: np.random.Generator, stimuli: int = 40, subjects: int = 12, noise: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """A model's RDM and those of subjects, each with a random part of its own."""
    latent = rng.normal(size=(stimuli, 8))
    model = correlation_rdm(latent[:, :6] @ rng.normal(size=(6, 40)))
    mixing = rng.normal(size=(8, 40))
    rdms = [
        correlation_rdm(
            latent @ (mixing + 0.5 * rng.normal(size=(8, 40)))
            + noise * rng.normal(size=(stimuli, 40))
        )
        for _ in range(subjects)
    ]
    return model, np.array(rdms)


def expanded(rdm: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The RDM of the drawn stimuli, without the pairs of a stimulus and itself."""
    drawn = np.repeat(np.arange(len(counts)), counts.astype(int))
    square = squareform(rdm)[np.ix_(drawn, drawn)]
    differ = drawn[:, None] != drawn
    return square[np.triu(differ, 1)]


@pytest.mark.parametrize("tied", [False, True])
def test_a_resample_is_the_score_of_the_drawn_stimuli(tied: bool) -> None:
    rng = np.random.default_rng(0)
    model, rdms = population(rng, stimuli=12, subjects=2)
    if tied:
        model = np.round(model * 3)
    crossed, draws = rsa_resampled(model[None], rdms, rng, draws=20)
    for at, counts in enumerate(draws.counts):
        for subject, rdm in enumerate(rdms):
            expected = spearmanr(expanded(model, counts), expanded(rdm, counts))[0]
            assert crossed[0].draws[at, subject] == pytest.approx(expected, abs=1e-12)
    assert crossed[0].whole[0] == pytest.approx(compare(model, rdms[0]), abs=1e-12)
    linear, draws = rsa_resampled(model[None], rdms, rng, "pearson", 20)
    pairs = expanded(model, draws.counts[3]), expanded(rdms[1], draws.counts[3])
    assert linear[0].draws[3, 1] == pytest.approx(np.corrcoef(*pairs)[0, 1], abs=1e-12)


def test_rho_a_in_a_resample_is_that_of_the_sample() -> None:
    rng = np.random.default_rng(5)
    model, rdms = population(rng, stimuli=9, subjects=1)
    model = np.round(model * 3)
    crossed, draws = rsa_resampled(model[None], rdms, rng, "rho-a", 20)
    a, b = expanded(model, draws.counts[0]), expanded(rdms[0], draws.counts[0])
    ranks = [np.array([(v > w).sum() + ((v == w).sum() + 1) / 2 for v in w]) for w in (a, b)]
    n = len(a)
    expected = 12 * ((ranks[0] - (n + 1) / 2) @ (ranks[1] - (n + 1) / 2)) / (n**3 - n)
    assert crossed[0].draws[0, 0] == pytest.approx(expected, abs=1e-12)


def test_ridge_resamples_are_correlations_of_the_drawn_stimuli() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 10)), rng.normal(size=(30, 4))
    y[:, 2] = 1.0
    ridge = leave_one_out_ridge(x, y)
    crossed = ridge_resampled(ridge, y, np.random.default_rng(3), 50)
    counts = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), 50)
    drawn = np.repeat(np.arange(30), counts[7])
    expected = np.corrcoef(ridge.prediction[drawn, 3], y[drawn, 3])[0, 1]
    assert crossed.draws.shape == (50, 3)
    assert crossed.draws[7, 2] == pytest.approx(expected, abs=1e-10)


def test_few_stimuli_and_flat_models_are_refused_with_numbers() -> None:
    rng = np.random.default_rng(2)
    model, rdms = population(rng, stimuli=4)
    with pytest.raises(EngramError, match="resamples need at least 5"):
        rsa_resampled(model[None], rdms, rng)
    model, rdms = population(rng, stimuli=5)
    crossed, draws = rsa_resampled(model[None], rdms, rng, draws=200)
    assert np.isfinite(crossed[0].draws).all()
    assert draws.redrawn >= 1
    with pytest.raises(EngramError, match="has no interval over stimuli"):
        rsa_resampled(model[None], rdms, rng, "whitened")


def test_one_model_and_one_rdm_have_an_interval() -> None:
    model, rdms = population(np.random.default_rng(3), subjects=1)
    crossed, _ = rsa_resampled(model, rdms, np.random.default_rng(0))
    found = crossed_score(crossed[0], 0.0, subject_reliability(rdms))
    assert found.value.low < found.value.estimate < found.value.high
    assert found.normalised is None
    assert found.reason.startswith("no ceiling: 1 subject(s)")


def test_a_score_is_set_between_chance_and_ceiling() -> None:
    value = Interval(0.6, 0.5, 0.7, 0.95)
    found = score(value, 0.5, Interval(0.81, 0.7, 0.9, 0.95))
    assert found.corrected[:3] == pytest.approx((0.2, 0.0, 0.4))
    assert found.normalised[:3] == pytest.approx((0.6 / 0.9, 0.5 / 0.9, 0.7 / 0.9))
    none = score(value, 0.5, Interval(0.01, -0.1, 0.1, 0.95))
    assert none.normalised is None
    assert none.reason.startswith("no ceiling: reliability 0.01 [-0.1, 0.1]")


@pytest.mark.parametrize("half", [0.2, 0.5, 0.9])
def test_a_perfect_model_scores_1_against_subjects_and_neurons(half: float) -> None:
    rng = np.random.default_rng(8)
    truth = rng.normal(size=124_750)  # 500 stimuli
    rdms = np.sqrt(half) * truth + np.sqrt(1 - half) * rng.normal(size=(12, truth.size))
    value = Interval(float(np.mean([compare(truth, rdm, "pearson") for rdm in rdms])), 0, 1, 0.95)
    found = score(value, 0.0, subject_reliability(rdms, "pearson"))
    assert found.normalised.estimate == pytest.approx(1, abs=0.02)
    neurons = score(Interval(np.sqrt(half), 0, 1, 0.95), 0.0, neuron_reliability(np.full(9, half)))
    assert neurons.normalised.estimate == pytest.approx(1, abs=1e-9)


def test_the_variance_counts_each_source_once() -> None:
    rng = np.random.default_rng(4)
    units, items, sizes, true = 30, 40, [], 0.0
    for _ in range(60):
        values = (
            rng.normal(size=(units, 1)) * 0.5
            + rng.normal(size=items) * 0.7
            + rng.normal(size=(units, items)) * 6
        )
        counts = rng.multinomial(items, np.full(items, 1 / items), 400)
        one = crossed_interval(Crossed(values.mean(1), counts @ values.T / items, items))
        sizes.append((one.high - one.low) / 2 / 2.0)
        true += (values.mean()) ** 2 / 60
    expected = np.sqrt(0.25 / units + 0.49 / items + 36 / units / items)
    assert np.mean(sizes) == pytest.approx(expected, rel=0.15)
    assert np.sqrt(true) == pytest.approx(expected, rel=0.3)


def test_paired_tests_see_what_unpaired_intervals_do_not() -> None:
    rng = np.random.default_rng(6)
    model, rdms = population(rng)
    worse = model + 0.5 * model.std() * rng.normal(size=model.size)
    better, less = rsa_resampled(np.array([model, worse]), rdms, rng, draws=300)[0]
    test = crossed_test(better, less)
    assert test.difference.low > 0
    assert test.p < 0.05
    assert crossed_interval(better).low < crossed_interval(less).high
    assert crossed_test(better, better).p == 1


def test_the_jackknife_covers_cka_and_knows_its_width() -> None:
    rng = np.random.default_rng(9)
    mixing = rng.normal(size=(6, 60))
    features = rng.normal(size=(6, 30))

    def sample() -> tuple[np.ndarray, np.ndarray]:
        latent = rng.normal(size=(60, 6))
        chosen = rng.permutation(60)[:40]
        y = latent @ mixing[:, chosen] + 2 * rng.normal(size=(60, 40))
        return latent @ features + 2 * rng.normal(size=(60, 30)), y

    spread = np.std([cka(*sample()) for _ in range(200)])
    found = [jackknifed(cka, *sample(), rng, 60) for _ in range(12)]
    mean_width = np.mean([(one.high - one.low) / 2 / 1.96 for one in found])
    assert 0.75 * spread < mean_width < 1.8 * spread


def test_chance_of_svcca_by_permutation_is_its_closed_form() -> None:
    rng = np.random.default_rng(11)
    x, y = rng.normal(size=(118, 40)), rng.normal(size=(118, 40))
    chance = permuted_chance(svcca, x, y, rng, 20)
    assert chance.mean() == pytest.approx(0.515, abs=0.01)


def test_the_chosen_layer_is_scored_on_other_stimuli() -> None:
    rng = np.random.default_rng(12)
    noise = rng.normal(size=(30, 40))
    target = rng.normal(size=40)

    def metric(layer: int, kept: np.ndarray) -> float:
        return float(np.corrcoef(noise[layer, kept], target[kept])[0, 1])

    found = nested_choice(metric, 30, 40, rng)
    assert found.best > 0.25  # the best of 30 unrelated layers
    assert abs(found.score) < 0.2
    assert found.chosen.sum() == pytest.approx(1)


def test_the_depth_trend_finds_a_planted_rise() -> None:
    rng = np.random.default_rng(13)
    stimuli, layers = 30, 5
    truths = [correlation_rdm(rng.normal(size=(stimuli, 20))) for _ in range(layers)]
    early, late = (
        np.array([truths[at] + 0.2 * rng.normal(size=truths[at].size) for _ in range(6)])
        for at in (1, 4)
    )
    models = np.array(truths)
    one = rsa_resampled(models, early, np.random.default_rng(1), draws=100)[0]
    two = rsa_resampled(models, late, np.random.default_rng(1), draws=100)[0]
    trend = depth_trend(one, two, rng)
    assert (trend.first, trend.second) == (0.25, 1.0)
    assert trend.rise.low > 0
    assert depth_trend(one, one, rng).rise.estimate == 0


def correlated(rng: np.random.Generator) -> Crossed:
    mixing = np.random.default_rng(70).normal(size=(8, 40))
    features = np.random.default_rng(71).normal(size=(6, 40))
    latent = rng.normal(size=(40, 8))
    own = [mixing + 0.5 * rng.normal(size=(8, 40)) for _ in range(12)]
    rdms = [correlation_rdm(latent @ one + 3 * rng.normal(size=(40, 40))) for one in own]
    model = correlation_rdm(latent[:, :6] @ features)
    return rsa_resampled(model[None], np.array(rdms), rng, draws=200)[0][0]


def predicted(rng: np.random.Generator) -> Crossed:
    features = np.random.default_rng(72).normal(size=(10, 20))
    latent = rng.normal(size=(100, 10))
    y = latent @ rng.normal(size=(10, 30)) + 4 * rng.normal(size=(100, 30))
    ridge = leave_one_out_ridge(latent @ features, y, (1.0, 10.0, 100.0))
    return ridge_resampled(ridge, y, rng, 200)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rsa", "ridge"])
def test_intervals_cover_what_they_should(kind: str) -> None:
    """400 data sets; the truth and the oracle's width are from 1,200 others."""
    make = correlated if kind == "rsa" else predicted
    rng = np.random.default_rng(73)
    others = np.array([make(rng).whole.mean() for _ in range(1200)])
    truth, spread = others.mean(), others.std(ddof=1)
    intervals = [crossed_interval(make(rng)) for _ in range(400)]
    covered = np.mean([one.low <= truth <= one.high for one in intervals])
    width = np.mean([one.high - one.low for one in intervals]) / (2 * 1.96 * spread)
    assert 0.93 <= covered <= 0.98
    assert width <= 1.3


@pytest.mark.data
def test_the_photographs_with_noise_for_a_ceiling_say_so() -> None:
    folder = Path(os.environ.get("ENGRAM_DATA", "")) / "neural/algonauts2019-78"
    if not folder.exists():
        pytest.skip("ENGRAM_DATA names no folder with the 78 photographs")
    with np.load(folder / "fmri_T2_EVC_RDMs.npz") as held:
        squares = held["arr_0"]
    upper = np.triu_indices(78, 1)
    found = subject_reliability(squares[:, upper[0], upper[1]])
    assert isinstance(found, Interval)
    assert abs(found.estimate) < 0.05
