import os
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from engram import data
from engram.neuron import MaskedPSN, presets
from engram.neuron.presets import Place
from engram.report import Report, load_report
from engram.studies.comparison import network as shared
from engram.studies.parallel_neurons import ParallelNeurons, network, study, timing
from engram.study import execute

PRESETS = {name: presets.PRESETS[name] for name in get_args(network.NeuronName)}
TINY = ParallelNeurons(
    neurons=("lif", "masked"),
    limit=100,
    hidden=8,
    epochs=2,
    seeds=2,
    steps_timed=(2, 3),
    units_timed=(4,),
    device="cpu",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Report:
    return execute(TINY, tmp_path_factory.mktemp("run"))


def table(report: Report, title: str):
    return next(table for table in report.tables if table.title == title)


def test_the_report_has_what_the_question_asks_for(finished):
    assert finished.provenance.status == "complete"
    assert [(table.title, table.volatile) for table in finished.tables] == [
        ("Accuracy and firing", False),
        ("Paired difference from LIF", False),
        ("Comparison with published numbers", False),
        ("Time of a training step", True),
        ("Time of a neuron layer alone (ms)", True),
    ]
    assert [figure.title for figure in finished.figures] == [
        "Test accuracy",
        "Firing rate",
        "Paired difference from LIF",
        "Validation accuracy during training",
        "Time forward and backward, over T",
        "Time forward and backward, over N",
    ]
    assert list(finished.provenance.data) == ["digits.csv.gz"]
    assert any("limit = 100" in note for note in finished.notes)
    assert any("CC BY 4.0" in note for note in finished.notes)


def test_each_row_is_a_neuron_with_an_interval_and_rates(finished):
    rows = table(finished, "Accuracy and firing").rows
    assert [row[0] for row in rows] == ["LIF", "masked PSN"]
    weights = 8 * 8 + 8 * 8 + 8 * 10 + 10 + 4 * 8  # linear layers, and two batch norms
    assert [row[1] for row in rows] == [weights, weights + 2 * (8 * 8 + 8)]
    for _, _, accuracy, low, high, validation, *rates in rows:
        assert 0 <= low <= accuracy <= high <= 100
        assert 0 <= validation <= 100
        assert len(rates) == 2
        assert all(0 <= rate <= 1 for rate in rates)


def test_the_difference_is_between_the_accuracies(finished):
    lif, masked = (row[2] for row in table(finished, "Accuracy and firing").rows)
    ((label, difference, low, high),) = table(finished, "Paired difference from LIF").rows
    assert label == "masked PSN"
    assert difference == pytest.approx(masked - lif)
    assert low <= difference <= high


def test_the_published_numbers_are_the_papers(finished):
    rows = table(finished, "Comparison with published numbers").rows
    assert [row[2:] for row in rows] == [(81.50, 55.45), (85.81, 60.69)]


def test_a_seed_gives_the_fingerprint_and_another_gives_another(finished, tmp_path):
    again = execute(TINY, tmp_path / "again")
    assert again.fingerprint == finished.fingerprint
    # beyond the settings, which differ anyway
    other = execute(replace(TINY, seed=1), tmp_path / "other")
    assert table(other, "Accuracy and firing").rows != table(finished, "Accuracy and firing").rows


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_killed_run_resumes_to_the_same_report(error, finished, tmp_path, monkeypatch):
    trained = []

    def killed_at_the_fourth(settings, images, neuron, seed):
        if len(trained) == 3:
            raise error
        trained.append((neuron, seed))
        return train(settings, images, neuron, seed)

    train = study.train_network
    monkeypatch.setattr(study, "train_network", killed_at_the_fourth)
    with pytest.raises(error):
        execute(TINY, tmp_path)
    assert trained == [("lif", 0), ("lif", 1), ("masked", 0)]
    if error is KeyboardInterrupt:
        partial = load_report(tmp_path)
        assert partial.provenance.status == "partial"
        assert [row[0] for row in table(partial, "Accuracy and firing").rows] == ["LIF"]
    trained.clear()
    monkeypatch.setattr(study, "train_network", train)
    calls = []
    monkeypatch.setattr(
        study, "train_network", lambda *piece: calls.append(piece[2:]) or train(*piece)
    )
    assert execute(TINY, tmp_path).fingerprint == finished.fingerprint
    assert calls == [("masked", 1)]


def test_a_seed_gives_every_neuron_the_same_weights():
    networks = []
    for member in PRESETS.values():
        torch.manual_seed(0)
        networks.append(
            network.row_network(4, 6, 3, lambda member=member: member.make(Place(5, 2)))
        )
    first = networks[0]
    for other in networks[1:]:
        for mine, theirs in zip(
            (*first.layers.parameters(), *first.readout.parameters()),
            (*other.layers.parameters(), *other.readout.parameters()),
            strict=True,
        ):
            assert torch.equal(mine, theirs)


@pytest.mark.parametrize("name", PRESETS)
def test_logits_are_the_mean_over_time_of_a_readout_of_spikes(name):
    net = network.row_network(4, 6, 3, lambda: PRESETS[name].make(Place(5, 2))).eval()
    spikes = []
    net.neurons[1].register_forward_hook(lambda _m, _x, output: spikes.append(output))
    logits = net(torch.randn(5, 7, 4, generator=torch.Generator().manual_seed(0)))
    assert set(spikes[0].unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(logits, net.readout(spikes[0]).mean(0), rtol=1e-4, atol=1e-5)


def test_the_masked_neuron_that_is_tested_is_causal(monkeypatch):
    kept = []
    predict = shared.predict
    monkeypatch.setattr(
        shared, "predict", lambda net, *a, **b: kept.append(net) or predict(net, *a, **b)
    )
    images = network.read_images("digits", size=None, limit=60, validation=0.3, seed=0)
    for epochs in (1, 2, 10):
        study.train_network(replace(TINY, epochs=epochs), images, "masked", 0)
    neurons = [module for net in kept for module in net.modules() if isinstance(module, MaskedPSN)]
    assert len(neurons) == 6
    assert all(neuron.causal for neuron in neurons)


def test_rows_are_steps_and_the_training_part_is_standardised():
    images = network.read_images("digits", size=None, limit=None, validation=0.2, seed=0)
    assert images.train.inputs.mean().item() == pytest.approx(0, abs=1e-4)
    assert images.train.inputs.std().item() == pytest.approx(1, abs=1e-3)
    source = data.load("digits").test
    pixels = np.asarray(source.inputs, dtype=float)
    scale = np.polyfit(pixels.ravel(), images.test.inputs.numpy().ravel(), 1)
    np.testing.assert_allclose(np.polyval(scale, pixels), images.test.inputs.numpy(), atol=1e-4)
    assert images.test.labels.tolist() == source.labels.tolist()


def test_the_limit_keeps_each_class_in_proportion():
    images = network.read_images("digits", size=None, limit=200, validation=0.25, seed=3)
    counts = np.bincount(np.concatenate([images.train.labels, images.validation.labels]))
    assert abs(counts.sum() - 200) <= 5
    assert counts.max() - counts.min() <= 2
    assert len(images.validation.labels) / counts.sum() == pytest.approx(0.25, abs=0.03)


def test_colour_pictures_of_your_own_become_rows_of_three_values_a_pixel(tmp_path):
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for label in ("cat", "dog"):
            folder = tmp_path / part / label
            folder.mkdir(parents=True)
            for i in range(6):
                Image.fromarray(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)).save(
                    folder / f"{i}.png"
                )
    settings = replace(TINY, data=f"imagefolder:{tmp_path}", neurons=("psn",), seeds=1, batch=8)
    report = execute(settings, tmp_path / "run")
    assert any("5 steps of 12 values" in note for note in report.notes)
    assert all("limit" not in note for note in report.notes)
    (row,) = table(report, "Accuracy and firing").rows
    assert row[0] == "PSN"
    assert "Paired difference from PSN" not in [table.title for table in report.tables]


@pytest.mark.parametrize(("name", "kind"), [("spoken-digits", "audio"), ("n-mnist", "events")])
def test_data_without_images_are_refused_before_they_are_fetched(name, kind, tmp_path):
    with pytest.raises(ValueError, match=rf"{name} holds {kind}.*digits.*imagefolder:DIR"):
        execute(replace(TINY, data=name), tmp_path)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"neurons": ()}, r"neurons are \(\)"),
        ({"neurons": ("lif", "lif")}, "each only once"),
        ({"neurons": ("glif",)}, r"'glif'.*name at least one of if, lif"),
        ({"seeds": 0}, "seeds is 0"),
        ({"hidden": 0}, "hidden is 0"),
        ({"limit": 0}, "limit is 0"),
        ({"k": 0}, "k is 0"),
        ({"steps_timed": (4, 0)}, r"steps_timed=\(4, 0\)"),
        ({"steps_timed": (10**12,)}, r"timing T = 1000000000000 steps .* GiB"),
        ({"units_timed": (4, 10**13)}, r"N = 10000000000000 neurons takes .* GiB"),
    ],
)
def test_a_setting_out_of_range_is_named(changed, named):
    with pytest.raises(ValueError, match=named):
        replace(TINY, **changed)


def test_the_settings_name_the_presets():
    assert set(get_args(network.NeuronName)) <= presets.PRESETS.keys()


def test_timing_covers_each_point_once():
    points = timing.timing_points((timing.STEPS, 2), (timing.UNITS, 8))
    assert points == [(timing.STEPS, timing.UNITS), (2, timing.UNITS), (timing.STEPS, 8)]
    assert timing.timing_points((), ()) == []


@pytest.mark.data
@pytest.mark.skipif("ENGRAM_DATA" not in os.environ, reason="ENGRAM_DATA names no data")
def test_fashion_mnist_end_to_end(tmp_path):
    settings = replace(TINY, data="fashion-mnist", limit=200, neurons=("sliding",), seeds=1)
    report = execute(settings, tmp_path)
    assert any("28 steps of 28 values" in note for note in report.notes)
