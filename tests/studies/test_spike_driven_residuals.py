from dataclasses import replace

import pytest
import torch

from engram.report import Report, load_report
from engram.studies.spike_driven_residuals import SpikeDrivenResiduals, study
from engram.studies.spike_driven_residuals.findings import CLAIM
from engram.studies.spike_driven_residuals.network import NETWORKS, Shape
from engram.study import execute
from engram.vision import CUSTOMARY, verify

TINY = SpikeDrivenResiduals(
    limit=80,
    dim=16,
    depth=1,
    heads=2,
    steps=2,
    epochs=1,
    seeds=2,
    traced=16,
    device="cpu",
    threads=1,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Report:
    return execute(TINY, tmp_path_factory.mktemp("run"))


def table(report: Report, title: str):
    return next(table for table in report.tables if table.title == title)


def test_the_report_has_what_the_question_asks_for(finished):
    assert finished.provenance.status == "complete"
    assert [table.title for table in finished.tables] == [
        "Accuracy",
        "Paired difference from Spikingformer",
        "Is it spike-driven?",
        "Operations per image",
        "Energy per image (µJ)",
        "Firing rate by layer",
    ]
    assert [figure.title for figure in finished.figures] == [
        "Test accuracy",
        "Energy per image",
        "Firing rate",
    ]
    assert list(finished.provenance.data) == ["digits.csv.gz"]
    assert any("limit = 80" in note for note in finished.notes)
    assert any("CC BY 4.0" in note for note in finished.notes)


def test_each_row_is_a_network_with_an_interval(finished):
    rows = table(finished, "Accuracy").rows
    assert [row[0] for row in rows] == [
        "Spikingformer",
        "Spikformer",
        "SEW-ResNet, ADD",
        "ResNet, no spikes",
    ]
    for _, _, parameters, accuracy, low, high, validation in rows:
        assert parameters > 0
        assert 0 <= low <= accuracy <= high <= 100
        assert 0 <= validation <= 100


def test_the_claim_stands_beside_what_was_saved(finished):
    paper, compute, memory = finished.scalars
    assert paper.published == CLAIM
    assert CLAIM.value == pytest.approx(100 * (1 - 7.463 / 18.819), abs=5e-3)
    assert compute.published is None is memory.published
    energy = {row[0]: row[1:] for row in table(finished, "Energy per image (µJ)").rows}
    ours, theirs = energy["Spikingformer"], energy["Spikformer"]
    assert all(one > 0 for one in (*ours, *theirs))
    assert energy["ResNet, no spikes"][-2:] == (None, None)
    # the mean of ratios is near the ratio of means
    assert memory.value == pytest.approx(100 * (1 - ours[2] / theirs[2]), abs=0.5)
    assert any("60.34%" in note for note in finished.notes)


def test_operations_are_those_of_the_kinds(finished):
    rows = {row[0]: row[1:] for row in table(finished, "Operations per image").rows}
    macs, acs, dense, nominal, updates, _ = rows["ResNet, no spikes"]
    assert acs == updates == 0
    assert 0 < macs <= dense <= nominal
    assert rows["Spikingformer"][0] < macs


def test_a_seed_gives_the_fingerprint_and_another_gives_another(tmp_path):
    one = replace(TINY, seeds=1, networks=("spikingformer",))
    first, again = (execute(one, tmp_path / name) for name in ("first", "again"))
    assert again.fingerprint == first.fingerprint
    other = execute(replace(one, seed=1), tmp_path / "other")
    assert table(other, "Accuracy").rows != table(first, "Accuracy").rows


def test_an_interrupted_run_reports_what_is_done(tmp_path, monkeypatch):
    train = study.train_network

    def killed(settings, pictures, network, seed):
        if network == "spikformer":
            raise KeyboardInterrupt
        return train(settings, pictures, network, seed)

    monkeypatch.setattr(study, "train_network", killed)
    with pytest.raises(KeyboardInterrupt):
        execute(replace(TINY, seeds=1), tmp_path)
    partial = load_report(tmp_path)
    assert partial.provenance.status == "partial"
    assert [row[0] for row in table(partial, "Accuracy").rows] == ["Spikingformer"]
    assert not partial.scalars


def test_one_training_has_no_spread(tmp_path):
    networks = ("spikingformer", "spikformer")
    report = execute(replace(TINY, seeds=1, networks=networks), tmp_path)
    assert [scalar.low for scalar in report.scalars] == [None] * 3


def test_an_artificial_network_alone_has_no_rates(tmp_path):
    report = execute(replace(TINY, seeds=1, networks=("ann",)), tmp_path)
    assert [figure.title for figure in report.figures] == ["Test accuracy", "Energy per image"]


SHAPE = Shape(classes=10, channels=1, dim=64, depth=2, heads=4, steps=4)


def test_the_networks_are_of_about_equal_size():
    sizes = [
        sum(weight.numel() for weight in network.make(SHAPE).parameters())
        for network in NETWORKS.values()
    ]
    assert max(sizes) < 1.1 * min(sizes)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_verdict_follows_from_what_the_residuals_add(name):
    torch.manual_seed(0)
    model = NETWORKS[name].make(SHAPE)
    x = torch.randn(16, 1, 8, 8)
    with torch.no_grad():
        for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            norm.momentum = 1.0
            norm.weight.fill_(1.5)
            norm.bias.fill_(0.5)
        model.train()(x)
    verdict = verify(model, [x], allow=CUSTOMARY)
    offending = {
        "spikformer": {"integer × weight"},
        "sew-add": {"integer × weight"},
        "ms-resnet": {"real × weight"},  # its shortcuts convolve membranes where they halve
        "ann": {"real × weight"},
    }.get(name, set())
    assert bool(verdict) == (not offending), str(verdict)
    assert {one.kinds for one in verdict.offences} == offending
    if name == "ms-resnet":
        assert all("shortcut" in one.operation for one in verdict.offences)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"networks": ()}, r"networks are \(\)"),
        ({"networks": ("ann", "ann")}, "each only once"),
        ({"networks": ("cnn",)}, "name at least one of spikingformer"),
        ({"seeds": 0}, "seeds is 0"),
        ({"size": 0}, "size is 0"),
        ({"dim": 20}, "dim=20 with heads=2: dim must be a multiple of 8"),
        ({"dim": 24, "heads": 5}, "dim=24 with heads=5"),
    ],
)
def test_a_setting_out_of_range_is_named(changed, named):
    with pytest.raises(ValueError, match=named):
        replace(TINY, **changed)


def test_a_size_that_the_tokenizer_cannot_halve_is_named(tmp_path):
    with pytest.raises(ValueError, match="multiples of 4"):
        execute(replace(TINY, size=10, networks=("spikingformer",)), tmp_path)
