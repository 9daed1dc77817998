"""Profiles: layers against areas, silent layers, controls and chance."""

from functools import partial

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from engram.data.responses import Responses
from engram.errors import EngramError
from engram.similarity import (
    Layer,
    cka,
    leave_one_out_ridge,
    permuted_rsa,
    profiles,
    svcca,
    svcca_chance,
    targets_of,
)
from engram.similarity.profile import METRICS
from engram.similarity.target import Match


def areas(neurons: int = 16, stimuli: int = 48):
    """Two areas: one sees the first latent patterns, the other the second."""
    rng = np.random.default_rng(3)
    latent = rng.normal(size=(2, stimuli, 6))
    clean = np.concatenate([one @ rng.normal(size=(6, neurons)) for one in latent], 1)
    values = clean[:, None] + 0.5 * rng.normal(size=(stimuli, 6, 2 * neurons))
    recording = Responses(
        values[..., None],
        [str(k) for k in range(stimuli)],
        [str(k) for k in range(2 * neurons)],
        ["V4"] * neurons + ["IT"] * neurons,
        ["a"] * (2 * neurons),
    )
    match = Match(np.arange(stimuli), np.arange(stimuli), ())
    features = [one @ rng.normal(size=(6, 40)) for one in latent]
    return targets_of(recording, match, rng), features


def layer(name: str, values: np.ndarray, control: str = "") -> Layer:
    return Layer(name, partial(np.asarray, values), control=control)


def model(features: list[np.ndarray]) -> list[Layer]:
    rng = np.random.default_rng(9)
    noise = rng.normal(size=features[0].shape)
    return [
        layer("early", features[0]),
        layer("silent", np.full((48, 40), 0.3)),
        layer("late", features[1]),
        layer("one", noise, "untrained"),
    ]


def test_each_area_finds_its_layer_and_the_values_are_those_of_the_metrics():
    targets, features = areas()
    found = profiles(model(features), targets, METRICS, draws=60, components=5)
    assert [(one.area, one.metric) for one in found] == [
        (area, metric) for area in ("V4", "IT") for metric in METRICS
    ]
    for one in found:
        place = ("V4", "IT").index(one.area)
        best = one.best
        assert best is not None
        assert best.layer == ("early", "late")[place]
        x, y = features[place], targets[place].responses
        assert y is not None
        expected = {
            "rsa": float(
                np.asarray(spearmanr(pdist(x, "correlation"), pdist(y, "correlation")))[0]
            ),
            "ridge": leave_one_out_ridge(x, y).score,
            "svcca": svcca(x, y, 5),
            "cka": cka(x, y),
        }
        score = best.score
        assert score is not None
        if one.metric in expected:
            assert score.value.estimate == pytest.approx(expected[one.metric], abs=1e-8)
        assert score.value.low < score.value.estimate < score.value.high
        silent = one.layers[1]
        assert silent.score is None
        assert silent.reason.startswith("silent")
        control = one.layers[3]
        assert control.score is not None
        assert control.control == "untrained"
        assert control.score.value.estimate < score.value.low
        if one.metric == "svcca":
            assert one.chance.estimate == pytest.approx(svcca_chance(48, 5, 5))
        if one.metric in ("rsa", "ridge"):
            assert one.nested is not None
            assert one.nested.score <= one.nested.best + 0.05
            assert score.normalised is not None
            assert score.value.estimate < score.normalised.estimate < 1.02
        else:
            assert "no ceiling is known" in score.reason


def test_a_model_that_is_silent_throughout_is_refused():
    targets, features = areas()
    flat = layer("a", np.zeros((48, 3)))
    with pytest.raises(EngramError, match="every layer of the model is silent, such as 'a'"):
        profiles([flat, layer("b", features[0], "pixels")], targets, ("rsa",), draws=20)
    with pytest.raises(EngramError, match="choose of rsa, ridge"):
        profiles([flat], targets, ("rdm",))


def test_too_few_stimuli_for_the_components_is_a_reason_and_no_number():
    targets, features = areas()
    (one,) = profiles([layer("a", features[0])], targets[:1], ("svcca",), components=60)
    assert one.best is None
    assert "48 stimuli for 60 components" in one.layers[0].reason


def test_layers_that_are_silent_for_one_stimulus_have_no_rdm_but_predict():
    targets, features = areas()
    values = features[0].copy()
    values[4] = 0.0
    found = profiles([layer("a", values), layer("b", features[0])], targets[:1], ("rsa", "ridge"),
                     draws=30)  # fmt: skip
    assert "stimulus 4" in found[0].layers[0].reason
    assert found[1].layers[0].score is not None


def test_permuted_similarities_are_those_of_permuted_rdms():
    rng = np.random.default_rng(0)
    models = np.stack([pdist(rng.normal(size=(9, 4))) for _ in range(2)])
    rdms = np.stack([pdist(rng.normal(size=(9, 4))) for _ in range(3)])
    rdms[0, :5] = 1.0  # ties
    found = permuted_rsa(models, rdms, np.random.default_rng(7), draws=5)
    again = np.random.default_rng(7)
    for row in found:
        order = again.permutation(9)
        turned = [squareform(squareform(rdm)[np.ix_(order, order)]) for rdm in rdms]
        for value, one in zip(row, models, strict=True):
            expected = np.mean([np.asarray(spearmanr(one, rdm))[0] for rdm in turned])
            assert value == pytest.approx(expected, abs=1e-12)


def test_a_projected_layer_has_nearly_the_scores_of_the_whole(tmp_path):
    torch = pytest.importorskip("torch")
    from engram.record import collect

    targets, features = areas()
    rng = np.random.default_rng(0)
    wide = (features[0] @ rng.normal(size=(40, 30_000)) + 5).astype(np.float32)
    (kept,) = collect(
        lambda x: {"a": x}, torch.from_numpy(wide).split(16), 48, tmp_path, 48 * 4 * 4000
    ).values()
    both = [Layer("projected", kept.values, kept.projected), layer("whole", wide)]
    (one,) = profiles(both, targets[:1], ("rsa",), draws=40)
    values = [row.score.value.estimate for row in one.layers]
    assert kept.projected
    assert values[0] == pytest.approx(values[1], abs=0.02)
