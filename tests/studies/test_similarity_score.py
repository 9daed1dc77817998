"""`engram similarity score`: a model and a recording from their files to the report and RDMs."""

import csv
import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import pdist, squareform
from torch import Tensor, nn

from engram.cli.similarity.score import ScoreModel
from engram.errors import EngramError
from engram.report import Report, load_report
from engram.studies.similarity_score import SimilarityScore
from engram.studies.similarity_score.models import make_model, read_features, untrained
from engram.studies.similarity_score.stimuli import read_stimuli
from engram.study import execute

SIDE, COUNT = 16, 30


class Small(nn.Module):
    """A network of the test: its second layer is what is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 6, 5, stride=3))
        self.silent = nn.Threshold(1e9, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.silent(self.second(self.first(x)))


def small() -> nn.Module:
    torch.manual_seed(4)
    return Small()


def as_floats(pictures: Tensor) -> Tensor:
    return pictures.float() / 255


MODEL, INPUT = f"{__name__}:small", f"{__name__}:as_floats"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(COUNT):
        pixels = rng.integers(0, 256, (4, 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)
        Image.fromarray(pixels).save(folder / f"picture_{k}.png")
    return folder


@pytest.fixture
def recording(tmp_path: Path, pictures: Path) -> Path:
    """Noisy responses of ten units of the second layer, in another order of the stimuli."""
    stimuli = read_stimuli(str(pictures), SIDE)
    with torch.no_grad():
        network = small()
        x = network.second(network.first(as_floats(stimuli.batch(range(COUNT)))))  # pyright: ignore[reportCallIssue]
    rng = np.random.default_rng(1)
    truth = x.flatten(1).numpy()[:, rng.permutation(x[0].numel())[:20]]
    values = truth[:, None] + 0.3 * truth.std(0) * rng.normal(size=(COUNT, 6, 20))
    values[:, :, 3] = 0.0
    order = rng.permutation(COUNT)
    path = tmp_path / "recording.npz"
    np.savez(
        path,
        responses=values[order],
        stimulus_id=[stimuli.ids[k].removesuffix(".png") for k in order],
        neuroid_id=range(20),
        region=["V4"] * 20,
    )
    return path


def settings(recording: Path, pictures: Path, **more) -> dict:
    return {
        "model": MODEL, "recording": str(recording), "images": str(pictures), "transform": INPUT,
        "size": SIDE, "draws": 40, "axes": ("stimulus", "repetition", "neuroid"),
    } | more  # fmt: skip


def rows_of(report: Report, title: str) -> list[dict]:
    (table,) = [table for table in report.tables if table.title == title]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


@pytest.fixture
def run(recording, pictures, tmp_path) -> tuple[Report, Path]:
    study = SimilarityScore(**settings(recording, pictures))
    return execute(study, tmp_path / "run"), tmp_path / "run"


def test_the_recorded_layer_wins_and_the_silent_one_is_named(run):
    report, folder = run
    for row in rows_of(report, "Scores by area"):
        assert row["area"] == "V4"
        assert row["best layer"].startswith("second")
        low, high = map(float, row["95% interval"].split(" to "))
        assert low < row["score"] < high
        assert row["of the ceiling"]
    layers = rows_of(report, "Scores by layer")
    assert {row["network"] for row in layers} == {"model", "untrained", "pixels"}
    silent = [row for row in layers if row["layer"] == "silent" and row["network"] == "model"]
    assert all(row["score"] is None and row["remark"].startswith("silent") for row in silent)
    assert [figure.title for figure in report.figures] == [
        "V4: RSA (Spearman)", "V4: ridge, leave-one-out",
    ]  # fmt: skip
    assert {item.title for item in report.pictures} >= {"What the network saw", "RDM of V4"}
    notes = "\n".join(report.notes)
    assert "1 neurons have one constant response: left out (3)" in notes
    assert "30 stimuli matched by id" in notes
    assert "Methods: features of" in notes
    again = load_report(folder)
    assert again.fingerprint == report.fingerprint
    assert again.pictures == report.pictures
    assert "data:image/png;base64," in (folder / "report.html").read_text()


def test_saved_rdms_are_those_of_scipy_in_both_formats(run, recording):
    _, folder = run
    with np.load(recording) as file:
        held = dict(file)
    with np.load(folder / "rdms.npz") as file:
        ids = [one.removesuffix(".png") for one in file["stimulus_id"]]
        order = [list(held["stimulus_id"]).index(one) for one in ids]
        means = np.delete(held["responses"].mean(1), 3, 1)[order]
        expected = pdist(means, "correlation")
        np.testing.assert_allclose(file["area/V4"][0], expected, atol=1e-6)
        assert {"layer/first", "layer/second.1", "untrained/first", "pixels/pixels"} <= set(file)
        assert "layer/silent" not in file
    (path,) = folder.glob("rdms/area-V4*.csv")
    with path.open() as lines:
        table = list(csv.reader(lines))
    assert [one.removesuffix(".png") for one in table[0][1:]] == ids
    square = np.array([row[1:] for row in table[1:]], float)
    np.testing.assert_allclose(square, squareform(expected), atol=1e-6)


def test_features_of_another_program_give_the_same_scores(run, recording, pictures, tmp_path):
    report, _ = run
    stimuli = read_stimuli(str(pictures), SIDE)
    network = small()
    with torch.no_grad():
        first = network.first(as_floats(stimuli.batch(range(COUNT))))  # pyright: ignore[reportCallIssue]
        second = network.second(first)  # pyright: ignore[reportCallIssue]
    path = tmp_path / "features.npz"
    np.savez(path, first=first.numpy(), second=second.numpy(), stimulus_id=stimuli.ids)
    study = SimilarityScore(str(path), str(recording), draws=40,
                            axes=("stimulus", "repetition", "neuroid"))  # fmt: skip
    found = rows_of(execute(study, tmp_path / "other"), "Scores by layer")
    ours = {
        (row["metric"], row["layer"]): row["score"]
        for row in rows_of(report, "Scores by layer")
        if row["network"] == "model"
    }
    for row in found:
        name = {"first": "first", "second": "second.1"}[row["layer"]]
        assert row["score"] == pytest.approx(ours[row["metric"], name], abs=1e-5)
    assert any("no untrained control" in note for note in load_report(tmp_path / "other").notes)


def test_the_command_estimates_first_and_prints_json(recording, pictures, tmp_path, capsys):
    study = SimilarityScore(**settings(recording, pictures, metrics=("rsa",), control=False))
    command = partial(ScoreModel, settings=study)  # pyright: ignore[reportCallIssue]
    assert command(estimate=True)() == 0  # pyright: ignore[reportCallIssue]
    assert "4 layers; about" in capsys.readouterr().out
    assert not (tmp_path / "cli").exists()
    assert command(out=tmp_path / "cli", json=True)() == 0  # pyright: ignore[reportCallIssue]
    printed = capsys.readouterr()
    assert json.loads(printed.out)["name"] == "similarity-score"
    assert "GiB of memory" in printed.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"images": None}, "needs pictures"),
        ({"model": "resnet19"}, "there is no model 'resnet19'"),
        ({"model": "lite0", "checkpoint": Path("x")}, "lite0 has weights"),
        ({"layers": ("none",)}, "the model has no layer 'none'"),
        ({"areas": ("IT",)}, "no area 'IT': there are V4"),
        ({"memory_gb": 0.1}, "GiB of memory and may take 0.1"),
        ({"images": "nowhere"}, "nowhere does not exist"),
        ({"metrics": ()}, "metrics are"),
        ({"keys": ("x",)}, "there is no array 'x'"),
        ({"steps": 4}, "is called without arguments"),
    ],
)
def test_mistakes_are_named(more, message, recording, pictures, tmp_path):
    with pytest.raises(EngramError, match=message):
        execute(SimilarityScore(**settings(recording, pictures, **more)), tmp_path / "run")


def test_other_pictures_are_refused_and_the_same_order_can_be_stated(recording, pictures, tmp_path):
    for k, path in enumerate(sorted(pictures.iterdir())):
        path.rename(pictures / f"{k:02d}.png")
    asked = settings(recording, pictures, metrics=("rsa",), control=False)
    with pytest.raises(EngramError, match="fewer than 3 stimuli match"):
        execute(SimilarityScore(**asked), tmp_path / "run")
    report = execute(SimilarityScore(**asked, same_order=True), tmp_path / "same")
    assert any("taken to be in the same order" in note for note in report.notes)
    np.savez(tmp_path / "few.npz", rdms=np.zeros((2, 3)), subject=["a", "b"])
    few = asked | {"recording": str(tmp_path / "few.npz"), "axes": ()}
    with pytest.raises(EngramError, match="has 3"):
        execute(SimilarityScore(**few, same_order=True), tmp_path / "few")


def test_pictures_that_are_not_square_are_cropped_and_noted(tmp_path):
    for k, size in enumerate([(30, 20), (20, 20), (20, 21)]):
        Image.new("RGB", size).save(tmp_path / f"image_{10 - k}.png")
    found = read_stimuli(str(tmp_path), 8)
    assert found.ids == ("image_8.png", "image_9.png", "image_10.png")
    assert found.batch([0, 1]).shape == (2, 3, 8, 8)
    assert found.notes == (
        "2 of 3 pictures are not square and were cropped at the centre: up to 33 % of a side was "
        "cut off",
    )
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 9, 9), np.uint8), other=np.zeros((4, 9)))
    assert read_stimuli(str(tmp_path / "a.npz"), 8).ids == ("0", "1", "2", "3")
    with pytest.raises(EngramError, match="give 8-bit pictures"):
        read_stimuli(f"{tmp_path / 'a.npz'}:other", 8)
    (tmp_path / "none").mkdir()
    with pytest.raises(EngramError, match="holds no picture"):
        read_stimuli(str(tmp_path / "none"), 8)


def test_the_untrained_control_has_other_weights_and_keeps_the_model():
    made = make_model(MODEL, transform=INPUT)
    before = {name: weight.clone() for name, weight in made.network.state_dict().items()}
    control = untrained(made, torch.zeros(4, 3, SIDE, SIDE, dtype=torch.uint8), seed=0)
    for name, weight in made.network.state_dict().items():
        assert torch.equal(weight, before[name])
        assert not torch.equal(control.network.state_dict()[name], weight)


def test_files_of_features_that_do_not_fit_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", one=np.zeros((4, 2)), two=np.zeros((5, 2)))
    with pytest.raises(EngramError, match="of the same stimuli"):
        read_features(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"no")
    with pytest.raises(EngramError, match="cannot be read as npz"):
        read_features(tmp_path / "b.npz")


@pytest.mark.data
@pytest.mark.slow
def test_lite0_has_the_known_similarity_with_monkey_it(tmp_path):
    folder = Path(os.environ["ENGRAM_DATA"]) / "neural"
    source = folder / "kriegeskorte2008.npz"
    study = SimilarityScore(
        "lite0", str(source), f"{source}:images", keys=("rdm_monkey_it",), same_order=True,
        metrics=("rsa",), draws=200,
    )  # fmt: skip
    report = execute(study, tmp_path / "run")
    scores = {
        row["layer"]: row["score"]
        for row in rows_of(report, "Scores by layer")
        if row["network"] == "model"
    }
    # measured by others with torchvision's resize of the same pictures
    assert scores["stem"] == pytest.approx(0.084, abs=0.02)
    assert scores["layers.13"] == pytest.approx(0.459, abs=0.01)
    assert scores["last"] == pytest.approx(0.30, abs=0.01)
    (best,) = rows_of(report, "Scores by area")
    assert best["score"] >= 0.40
    assert "no ceiling: 1 subject(s)" in best["its interval, or why there is none"]
