"""Targets: matching of stimuli, trials, selection, ceilings, and what is left out."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from engram.data.responses import Rdms, Responses
from engram.errors import EngramError
from engram.similarity import match_stimuli, normalise, targets_of, trial_reliability
from engram.similarity.target import Match


def recorded(values: np.ndarray, **fields) -> Responses:
    stimuli, _, neuroids, _ = values.shape
    held = {
        "stimuli": [f"im{k}" for k in range(stimuli)],
        "neuroids": [f"n{k}" for k in range(neuroids)],
        "areas": ["V4"] * neuroids,
        "subjects": ["m"] * neuroids,
    } | fields
    return Responses(values, **held)


def trials(seed: int = 0, half: float = 0.9, shape: tuple[int, int, int] = (40, 6, 12)):
    rng = np.random.default_rng(seed)
    stimuli, repeats, neurons = shape
    truth = rng.normal(size=(stimuli, neurons))
    noise = np.sqrt(repeats * (1 - half) / half / 2)  # halves correlate at `half`
    return truth, truth[:, None] + noise * rng.normal(size=shape)


def same(count: int) -> Match:
    return Match(np.arange(count), np.arange(count), ())


def one(recording, match=None, **options):
    match = match or same(len(recording.stimuli))
    (found,) = targets_of(recording, match, np.random.default_rng(0), **options)
    return found


def test_stimuli_are_matched_by_id_whatever_their_order():
    ours = ["b/im3.png", "b/im1.png", "b/im2.png", "b/im9.png"]
    found = match_stimuli(ours, ["im1", "im2", "im3", "im4", "im9"], 5)
    assert [ours[k][2:5] for k in found.model] == ["im3", "im1", "im2", "im9"]
    assert found.recording.tolist() == [2, 0, 1, 4]
    assert "4 stimuli matched by id" in found.notes[0]
    exact = match_stimuli(["a", "b", "c"], ["c", "a", "b"], 3)
    assert exact.recording.tolist() == [1, 2, 0]


def test_stimuli_that_cannot_be_matched_are_refused():
    with pytest.raises(EngramError, match="states no ids of its 3 stimuli"):
        match_stimuli(["a", "b", "c"], [], 3)
    with pytest.raises(EngramError, match="fewer than 3 stimuli match: the model saw a, b, c"):
        match_stimuli(["a", "b", "c"], ["x", "y", "a"], 3)
    with pytest.raises(EngramError, match="the model saw 3 stimuli and the recording has 4"):
        match_stimuli(["a", "b", "c"], [], 4, same_order=True)
    assert match_stimuli(["a", "b", "c"], [], 3, same_order=True).model.tolist() == [0, 1, 2]


def test_a_permuted_recording_gives_the_same_target():
    _, values = trials()
    straight = one(recorded(values[..., None]))
    order = np.random.default_rng(5).permutation(40)
    turned = recorded(values[order][..., None], stimuli=[f"im{k}" for k in order])
    match = match_stimuli([f"im{k}" for k in range(40)], turned.stimuli, 40)
    found = one(turned, match)
    np.testing.assert_allclose(found.rdms, straight.rdms)
    np.testing.assert_allclose(found.rdms[0], pdist(values.mean(1), "correlation"))


def test_nan_trials_do_not_count_and_silent_neurons_are_named():
    _, values = trials()
    values[3, 1:4] = np.nan
    values[5, :, 2] = np.nan  # a stimulus that a neuron never saw
    values[:20, :, 7] = np.nan  # a neuron that saw half of them
    values[:, :, 9] = 2.0
    found = one(recorded(values[..., None]))
    assert found.neuroids == tuple(f"n{k}" for k in range(12) if k not in (7, 9))
    assert found.rows.tolist() == [k for k in range(40) if k != 5]
    kept = values[found.rows][:, :, [k for k in range(12) if k not in (7, 9)]]
    assert found.responses is not None
    np.testing.assert_allclose(found.responses, np.nanmean(kept, 1))
    text = "; ".join(found.notes)
    assert "1 neurons have one constant response: left out (n9)" in text
    assert "1 neurons lack more than 10% of the stimuli" in text
    assert "1 stimuli lack a trial of some neuron" in text
    assert np.isfinite(found.rdms).all()


@pytest.mark.parametrize("half", [0.2, 0.5, 0.9])
def test_the_true_rdm_scores_1_after_normalisation_by_trials(half):
    ratios = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=(150, 4)) @ rng.normal(size=(4, 60))
        # equal norms: otherwise noise brings weak patterns closer together than strong ones
        truth = truth - truth.mean(1, keepdims=True)
        truth /= truth.std(1, keepdims=True)
        noise = np.sqrt(12 * (1 - half) / half / 2) * truth.std()
        values = truth[:, None] + noise * rng.normal(size=(150, 12, 60))
        found = one(recorded(values[..., None]))
        ranks = [x.argsort().argsort() for x in (pdist(truth, "correlation"), found.rdms[0])]
        score = np.corrcoef(ranks[0], ranks[1])[0, 1]
        assert not isinstance(found.rdm_reliability, str)
        ratios.append(normalise(float(score), found.rdm_reliability))
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)


def test_reliable_neurons_can_be_selected():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 1, 10))
    noise = np.repeat([0.1, 30.0], 5) * rng.normal(size=(60, 8, 10))
    recording = recorded((truth + noise)[..., None])
    found = one(recording, least_reliability=0.8)
    assert found.neuroids == ("n0", "n1", "n2", "n3", "n4")
    single = recorded((truth + noise)[:, :1, :, None])
    with pytest.raises(EngramError, match="cannot be selected by reliability: no ceiling: 0"):
        one(single, least_reliability=0.8)


def test_without_repetitions_there_is_no_ceiling_and_it_is_said():
    found = one(recorded(trials()[1][:, :1, :, None]))
    assert isinstance(found.reliability, str)
    assert "a reliability needs 3" in found.reliability
    assert "one subject has no ceiling over subjects" in str(found.rdm_reliability)
    assert found.ceiling is None


def test_subjects_have_an_rdm_each_and_small_ones_none():
    _, values = trials(shape=(40, 6, 14))
    subjects = ["a"] * 4 + ["b"] * 4 + ["c"] * 4 + ["d"] * 2
    found = one(recorded(values[..., None], subjects=subjects))
    assert found.subjects == ("a", "b", "c")
    assert found.rdms.shape == (3, 780)
    assert found.responses is not None
    assert found.responses.shape == (40, 14)
    assert any("subject d has 2 neurons" in note for note in found.notes)
    assert not isinstance(found.rdm_reliability, str)
    assert found.ceiling is not None
    two = one(recorded(values[..., :8, None], subjects=subjects[:8]))
    assert str(two.rdm_reliability).startswith("no ceiling: 2 subjects")


def test_areas_and_windows_are_chosen_by_name():
    _, values = trials()
    bins = np.stack([values, values + 100], 3)
    areas = ["V4"] * 6 + ["IT"] * 6
    recording = recorded(bins, areas=areas, time_s=[0.0, 0.1])
    found = targets_of(recording, same(40), np.random.default_rng(0), areas=["IT"])
    assert [one.name for one in found] == ["IT"]
    late = one(recording, areas=["V4"], window_s=(0.05, 0.2))
    assert late.responses is not None
    np.testing.assert_allclose(late.responses, values[:, :, :6].mean(1) + 100)
    with pytest.raises(EngramError, match="no area 'V1': there are V4, IT"):
        one(recording, areas=["V1"])
    with pytest.raises(EngramError, match="no bin starts in the window"):
        one(recording, areas=["IT"], window_s=(3.0, 4.0))
    with pytest.raises(EngramError, match="2 neurons and 40 stimuli are left"):
        one(recorded(values[:, :, :2, None]))


def test_rdms_of_some_stimuli_are_parts_of_the_whole():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 8, 20))
    recording = Rdms(
        {"IT": np.stack([pdist(each, "correlation") for each in x])},
        [str(k) for k in range(8)],
        {"IT": ["a", "b", "c"]},
    )
    match = match_stimuli(["6", "1", "4", "3"], recording.stimuli, 8)
    found = one(recording, match)
    expected = [pdist(each[[6, 1, 4, 3]], "correlation") for each in x]
    np.testing.assert_allclose(found.rdms, expected)
    assert found.responses is None
    with pytest.raises(EngramError, match="neurons cannot be selected"):
        one(recording, match, least_reliability=0.1)


def test_few_stimuli_have_no_reliability_by_trials():
    with pytest.raises(EngramError, match="10 stimuli with repetitions"):
        trial_reliability(trials(shape=(10, 4, 5))[1], np.random.default_rng(0))
    pure = np.random.default_rng(1).normal(size=(60, 8, 30))
    found = trial_reliability(pure, np.random.default_rng(0))
    assert found.low < 0 < found.high
    with pytest.raises(EngramError, match="no ceiling: reliability"):
        normalise(0.3, found)
