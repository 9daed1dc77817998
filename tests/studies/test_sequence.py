import os
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engram import data
from engram.neuron import presets
from engram.report import Report, load_report
from engram.studies.comparison.network import firing_rates
from engram.studies.sequence import SequenceMemory, body, reading, study, task
from engram.study import execute
from engram.train import Padded, pad

TINY = SequenceMemory(
    neurons=("lif", "psn", "sliding"), limit=40, epochs=1, seeds=2, k=3, device="cpu", threads=1
)
EVENT = np.dtype([("t", np.int32), ("x", np.uint8), ("y", np.uint8), ("p", np.uint8)])


def recording(rng: np.random.Generator, n: int, sensor: tuple[int, int] = (34, 34)) -> np.ndarray:
    events = np.empty(n, EVENT)
    events["t"] = np.sort(rng.integers(0, 300_000, n))
    events["y"], events["x"] = rng.integers(0, sensor[0], n), rng.integers(0, sensor[1], n)
    events["p"] = rng.integers(0, 2, n)
    return events


def synthetic(name: str) -> data.Dataset:
    """Noise in the form of a dataset, five examples a class to train and two to test."""
    rng = np.random.default_rng(0)

    def split(a_class: int) -> data.Split:
        n = 10 * a_class
        labels = np.arange(n) % 10
        match entry.kind:
            case "image":
                shape = (32, 32, 3) if name == "cifar10" else (28, 28)
                inputs = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
            case "events":
                inputs = [recording(rng, 50) for _ in labels]
            case _:
                inputs = [rng.normal(0, 0.1, 300 + 90 * i).astype(np.float32) for i in range(n)]
        return data.Split(inputs, labels)

    entry = data.CATALOGUE[name]
    assert entry.kind is not None
    return data.Dataset(
        name,
        entry.kind,
        split(5),
        split(2),
        entry.classes,
        entry.full_scale,
        entry.licence,
        sample_rate_hz=8000.0 if entry.kind == "audio" else None,
        sensor=entry.sensor,
        notes=("noise, not recordings",),
        sha256={f"{name}.bin": "00"},
    )


@pytest.fixture(autouse=True)
def no_real_data(request, monkeypatch):
    if not request.node.get_closest_marker("data"):
        monkeypatch.setattr(data, "load", synthetic)


def table(report: Report, title: str):
    return next(table for table in report.tables if table.title == title)


def read(name: str, options: reading.Options = reading.Options()) -> reading.Sequences:  # noqa: B008
    return task.read_task(task.TASKS[name], limit=None, validation=0.2, seed=0, options=options)


def network(name: str, neuron: str, sequences: reading.Sequences) -> Any:
    torch.manual_seed(0)
    return study.build(task.TASKS[name].body(sequences.shape, 4), 10, neuron, sequences.T, 3).eval()


def test_the_report_covers_every_task_and_resumes_to_itself(tmp_path, monkeypatch):
    trained = []
    train = study.train_network

    def killed_at_the_ninth(settings, of, sequences, neuron, seed):
        if len(trained) == 8:
            raise KeyboardInterrupt
        trained.append((of.data, neuron, seed))
        return train(settings, of, sequences, neuron, seed)

    settings = replace(TINY, tasks=("smnist", "spoken-digits", "nmnist"))
    whole = execute(settings, tmp_path / "whole")
    monkeypatch.setattr(study, "train_network", killed_at_the_ninth)
    with pytest.raises(KeyboardInterrupt):
        execute(settings, tmp_path / "killed")
    partial_report = load_report(tmp_path / "killed")
    overview = table(partial_report, "Test accuracy on every task (%)")
    assert overview.columns == ("neuron", "sequential MNIST", "spoken digits")
    monkeypatch.setattr(study, "train_network", train)
    assert execute(settings, tmp_path / "killed").fingerprint == whole.fingerprint
    assert trained[-1] == ("spoken-digits", "lif", 1)

    overview = table(whole, "Test accuracy on every task (%)")
    assert [row[0] for row in overview.rows] == ["LIF", "PSN", "sliding PSN"]
    assert [cell is None for cell in overview.rows[1]] == [False, False, True, False]
    assert set(whole.provenance.data) == {"mnist.bin", "spoken-digits.bin", "n-mnist.bin"}
    assert sum("Noise, not recordings." in note for note in whole.notes) == 3
    for label in ("sequential MNIST", "spoken digits", "N-MNIST"):
        lif, *others = table(whole, f"{label}: Accuracy and firing").rows
        gains = table(whole, f"{label}: Paired difference from LIF").rows
        assert [gain[1] for gain in gains] == pytest.approx([row[2] - lif[2] for row in others])
        assert all(0 <= rate <= 1 for row in (lif, *others) for rate in row[6:])


def test_sequential_cifar_stands_beside_the_published_numbers(tmp_path):
    settings = replace(TINY, tasks=("scifar",), neurons=("psn", "dilated"), seeds=1)
    report = execute(settings, tmp_path)
    rows = table(report, "sequential CIFAR-10: Comparison with published numbers").rows
    assert [(row[0], row[2]) for row in rows] == [("PSN", 88.45), ("dilated PSN", 91.17)]
    assert any("32 steps of 3 × 32 values" in note for note in report.notes)


def test_the_full_recipe_runs(tmp_path, monkeypatch):
    scifar = task.TASKS["scifar"]
    narrow = scifar._replace(full=scifar.full._replace(width=4))
    monkeypatch.setitem(task.TASKS, "scifar", narrow)
    settings = replace(TINY, tasks=("scifar",), neurons=("lif", "sliding"), seeds=1, full=True)
    report = execute(settings, tmp_path)
    assert any("SGD or Adam" in note and "augmented" in note for note in report.notes)


@pytest.mark.parametrize("name", task.TASKS)
@pytest.mark.parametrize("neuron", get_args(study.NeuronName))
def test_every_neuron_reads_every_task_that_has_its_length(name, neuron):
    of = task.TASKS[name]
    if of.ragged and presets.PRESETS[neuron].fixed_length:
        pytest.skip("knows one length")
    sequences = read(name)
    net = network(name, neuron, sequences).train()
    net(sequences.collate(sequences.train.inputs, torch.arange(6))).square().sum().backward()
    gradients = [weight.grad for weight in net.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("neuron", ["lif", "sliding", "prf", "pmsn"])
def test_a_prediction_does_not_depend_on_batch_mates(neuron):
    sequences = read("spoken-digits")
    net = network("spoken-digits", neuron, sequences)
    sounds = sequences.test.inputs
    together = net(pad(sounds, torch.arange(len(sounds))))
    alone = torch.cat([net(sound[:, None]) for sound in sounds])  # not even as a padded batch
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_padding_stays_out_of_the_batch_norm_and_of_the_rates():
    sequences = read("spoken-digits")
    rows = torch.arange(5)
    net = network("spoken-digits", "lif", sequences).train()
    net(pad(sequences.train.inputs, rows))
    steps = torch.cat([sequences.train.inputs[row] for row in rows])
    linear, norm = net.layers[0]
    torch.testing.assert_close(norm.running_mean, 0.1 * linear(steps).mean(0))
    net.eval()
    sounds = sequences.test.inputs
    spikes = [net.neurons[0](net.layers[0](sound)[:, None]) for sound in sounds]
    share = torch.cat(spikes).mean().item()
    assert firing_rates(net, sounds, pad)[0] == pytest.approx(share, rel=1e-4)


def test_pad_keeps_every_step_and_adds_zeros():
    batch = pad([torch.ones(n, 2) for n in (3, 1, 4)], torch.tensor([2, 1]))
    assert isinstance(batch, Padded)
    assert batch.lengths.tolist() == [4, 1]
    assert batch.x[:, :, 0].T.tolist() == [[1, 1, 1, 1], [1, 0, 0, 0]]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_frames_count_every_event_once_where_and_when_it_was(sizes, seed):
    T, rng = reading.FRAMES, np.random.default_rng(seed)
    recordings = [recording(rng, n, (5, 7)) for n in sizes]
    rows = torch.randperm(len(sizes), generator=torch.Generator().manual_seed(seed % 1000))
    counts = reading.collate_events(recordings, rows, sensor=(5, 7))
    expected = torch.zeros(T, len(sizes), 2, 5, 7)
    for column, row in enumerate(rows.tolist()):
        events = recordings[row]
        first, span = int(events["t"][0]), int(events["t"][-1]) - int(events["t"][0]) + 1
        for t, x, y, p in events.tolist():
            expected[(t - first) * T // span, column, p, y, x] += 1
    assert counts.sum().item() == sum(sizes)
    assert torch.equal(counts, expected)


def test_a_permutation_keeps_every_pixel_and_moves_all_images_alike():
    plain, moved = read("smnist"), read("smnist", reading.Options(permutation_seed=3))
    T = plain.T
    order = np.random.default_rng(3).permutation(T)
    assert sorted(order) == list(range(T))
    assert not torch.equal(plain.test.inputs, moved.test.inputs)
    for part in ("train", "validation", "test"):
        before, after = (getattr(of, part).inputs for of in (plain, moved))
        assert torch.equal(before.sort(1).values, after.sort(1).values)
        assert torch.equal(before[:, order], after)


def test_pixels_are_means_of_four_or_all_of_them():
    images = np.asarray(synthetic("mnist").test.inputs)
    full = read("smnist", reading.Options(full=True))
    assert (full.T, read("smnist").T) == (784, 196)
    scale = np.polyfit(images.ravel(), full.test.inputs.ravel(), 1)
    np.testing.assert_allclose(
        np.polyval(scale, images.reshape(20, 784)), full.test.inputs[:, :, 0], atol=1e-4
    )
    halved = reading.halved(np.asarray(images, dtype=np.float32))
    assert halved[3, 2, 5] == images[3, 4:6, 10:12].mean()


def test_columns_come_from_the_left_and_each_colour_is_standardised():
    images = np.asarray(synthetic("cifar10").test.inputs)
    columns = read("scifar")
    test = columns.test.inputs
    assert test.shape == (20, 32, 3, 32)
    for colour in range(3):
        pixels = images[:, :, 5, colour].astype(float)  # column 5, from the top
        scale = np.polyfit(pixels.ravel(), test[:, 5, colour].numpy().ravel(), 1)
        np.testing.assert_allclose(np.polyval(scale, pixels), test[:, 5, colour], atol=1e-4)
    spread, mean = torch.std_mean(columns.train.inputs, (0, 1, 3), correction=0)
    torch.testing.assert_close(mean, torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(spread, torch.ones(3), atol=1e-4, rtol=0)


def test_the_full_network_of_sequential_cifar_is_the_papers():
    layers, channels = body.column_body((3, 32), task.TASKS["scifar"].full.width)
    assert channels == [128] * 6 + [256]
    assert sum(weight.numel() for weight in layers[6].parameters()) == 1024 * 256 + 256
    convolutions = [m for layer in layers for m in layer.modules() if hasattr(m, "kernel_size")]
    kinds = Counter(type(module).__name__ for module in convolutions)
    assert kinds == {"Conv1d": 6, "AvgPool1d": 2}


def test_the_full_recipe_takes_sgd_where_the_paper_did():
    full = replace(TINY, epochs=None, limit=None, full=True).recipe(task.TASKS["scifar"])
    assert (full.epochs, full.batch, full.limit) == (256, 128, None)
    sgd: Any
    adam: Any
    (sgd, lr), (adam, small) = full.descent("psn"), full.descent("sliding")
    assert (sgd.func, sgd.keywords, lr) == (torch.optim.SGD, {"momentum": 0.9}, 0.1)
    assert (adam.func, small) == (torch.optim.AdamW, 1e-3)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"tasks": ()}, r"tasks are \(\)"),
        ({"tasks": ("speech",)}, "'speech'.*smnist, scifar"),
        ({"neurons": ("lif", "lif")}, "each only once"),
        ({"neurons": ("psn", "masked")}, "spoken-digits.*psn, masked.*sliding"),
        ({"permuted": True, "tasks": ("nmnist",)}, "permuted.*add that task"),
        ({"seeds": 0}, "seeds is 0"),
        ({"epochs": 0}, "epochs is 0"),
    ],
)
def test_a_setting_out_of_range_is_named(changed, named):
    with pytest.raises(ValueError, match=named):
        replace(TINY, **changed)


def test_the_settings_name_the_tasks():
    assert get_args(task.TaskName) == tuple(task.TASKS)


@pytest.mark.data
@pytest.mark.skipif("ENGRAM_DATA" not in os.environ, reason="ENGRAM_DATA names no data")
def test_a_few_real_recordings_end_to_end(tmp_path):
    settings = replace(
        TINY, tasks=("spoken-digits", "nmnist"), limit=100, neurons=("lif",), seeds=1
    )
    report = execute(settings, tmp_path)
    assert any("3,000 recordings by 6 speakers" in note for note in report.notes)
    sequences = task.read_task(
        task.TASKS["nmnist"], limit=20, validation=0.5, seed=0, options=reading.Options()
    )
    counts = partial(sequences.collate, sequences.train.inputs)(torch.arange(3))
    assert counts.sum() == sum(len(events) for events in list(sequences.train.inputs)[:3])
