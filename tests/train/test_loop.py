import json
import os
import re
import shutil
import signal
from dataclasses import replace

import pytest
import torch
from torch import nn

from engram.train import Conduct, evaluate
from tests.train.trainee import RECIPE, Net, feeds, result, start


class CutError(Exception):
    """The process ends here."""


def cut_at(number: int):
    def progress(step):
        if step.done == number:
            raise CutError

    return progress


@pytest.fixture(autouse=True)
def shown_at_once(monkeypatch):
    monkeypatch.setattr("engram.train.loop.SHOWN_S", -1.0)


def cut(folder, number, **options):
    with pytest.raises(CutError):
        start(folder, progress=cut_at(number), **options)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_training_that_is_cut_off_ends_as_if_it_had_not_been(tmp_path, workers):
    whole = result(*start(tmp_path / "whole"))
    for number in (3, 5, 14):  # within an epoch and after one
        cut(tmp_path / "cut", number, conduct=Conduct(save_s=0.0, workers=workers))
    assert result(*start(tmp_path / "cut", conduct=Conduct(workers=workers))) == whole


def test_a_training_that_has_ended_gives_its_result_again(tmp_path):
    net, outcome = start(tmp_path)
    again, same = start(tmp_path)
    assert same == outcome
    assert all(torch.equal(net.state_dict()[k], v) for k, v in again.state_dict().items())
    fresh, _ = start(tmp_path, conduct=Conduct(fresh=True))
    assert all(torch.equal(net.state_dict()[k], v) for k, v in fresh.state_dict().items())


def test_the_metrics_of_a_training_that_was_cut_off_have_each_step_once(tmp_path, monkeypatch):
    monkeypatch.setattr("engram.train.loop.LOGGED", 2)
    start(tmp_path / "whole")
    cut(tmp_path / "cut", 7)
    cut(tmp_path / "cut", 12)
    start(tmp_path / "cut")
    lines = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "cut")
    ]
    assert lines[0] == lines[1]
    assert [line["step"] for line in lines[0] if "loss" in line] == list(range(2, 21, 2))
    assert [line["step"] for line in lines[0] if "train_loss" in line] == [5, 10, 15, 20]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_stops_after_the_step(tmp_path, number):
    whole = result(*start(tmp_path / "whole"))

    def send(step):
        if step.done == 6:
            os.kill(os.getpid(), number)

    conduct = Conduct(save_s=1e9)
    before = signal.getsignal(number)
    _, outcome = start(tmp_path / "cut", progress=send, conduct=conduct)
    assert not outcome.finished
    assert outcome.reason == number.name
    assert signal.getsignal(number) is before
    assert (tmp_path / "cut/checkpoints/step-000000006/complete.json").exists()
    assert result(*start(tmp_path / "cut", conduct=conduct)) == whole


def test_the_time_limit_stops_with_a_checkpoint(tmp_path):
    whole = result(*start(tmp_path / "whole"))
    stops = 0
    while True:
        net, outcome = start(tmp_path / "cut", conduct=Conduct(time_limit_s=0.02))
        if outcome.finished:
            break
        stops += 1
        assert outcome.reason == "the time limit of 0.02 s"
    assert 1 <= stops <= 20
    assert result(net, outcome) == whole


def test_other_settings_are_refused_with_both_values(tmp_path):
    cut(tmp_path, 3)
    with pytest.raises(ValueError, match="epochs=4 became 9"):
        start(tmp_path, recipe=replace(RECIPE, epochs=9))


def test_a_loss_that_is_not_finite_names_the_last_good_checkpoint(tmp_path):
    def spoil(epoch):
        if epoch == 2:
            for weight in nets[0].parameters():
                weight.data.fill_(torch.nan)

    nets = []
    init = Net.__init__

    def remember(self):
        init(self)
        nets.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Net, "__init__", remember)
        with pytest.raises(ValueError, match=r"epoch 2: the loss of step 10 .*step-000000010"):
            start(tmp_path, before_epoch=spoil)


def test_a_folder_that_cannot_be_written_to_ends_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    seen = []
    with pytest.raises(ValueError, match=r"cannot be written to .*file"):
        start(tmp_path / "file", progress=seen.append)
    assert not seen


def test_too_little_space_ends_before_the_first_step(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: usage)
    seen = []
    with pytest.raises(ValueError, match=r"has 0 MB left, and 5 checkpoints of"):
        start(tmp_path, progress=seen.append, conduct=Conduct(keep=3))
    assert not seen


def test_patience_ends_a_training_that_no_longer_improves(tmp_path):
    recipe = replace(RECIPE, epochs=12, lr=1e-9, patience=3, average=None)
    _, outcome = start(tmp_path, recipe=recipe, conduct=Conduct())
    assert outcome.finished
    ties = [i for i, value in enumerate(outcome.accuracies) if value == max(outcome.accuracies)]
    assert outcome.best_epoch == ties[-1]
    assert (outcome.reason == "patience") == (len(outcome.accuracies) < 12)


def test_what_is_kept_has_the_best_validation_accuracy(tmp_path):
    net, outcome = start(tmp_path)
    outputs, labels = evaluate(net, feeds()[1], batch=4)
    accuracy = (outputs.argmax(1) == labels).double().mean().item()
    assert accuracy == max(outcome.accuracies) == outcome.accuracies[outcome.best_epoch]


def test_each_example_is_evaluated_once_in_order():
    class Same(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return x * self.one

    _, validation = feeds()
    for batch, workers in ((4, 0), (4, 2), (100, 0)):
        outputs, labels = evaluate(Same(), validation, batch=batch, workers=workers)
        assert torch.equal(outputs, validation.examples.inputs)
        assert torch.equal(labels, validation.examples.labels)


def test_a_bar_shows_the_loss_the_accuracy_and_the_speed(tmp_path, monkeypatch):
    monkeypatch.setattr("engram.train.loop.LOGGED", 2)
    shown = []
    start(tmp_path, progress=shown.append)
    assert [step.done for step in shown] == list(range(1, 21))
    assert {step.total for step in shown} == {20}
    assert re.fullmatch(r"epoch 1 of 4, \d+ examples/s", shown[0].label)
    said = r"epoch 4 of 4, loss \d\.\d{3}, validation \d+\.\d %, \d+ examples/s"
    assert re.fullmatch(said, shown[-1].label)


def test_a_function_of_the_user_gets_the_values_of_the_metrics(tmp_path, monkeypatch):
    monkeypatch.setattr("engram.train.loop.LOGGED", 2)
    logged = []
    start(tmp_path, log=lambda step, values: logged.append({"step": step, **values}))
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert logged == [json.loads(line) for line in lines]
    assert {"loss", "lr", "train_loss", "validation_accuracy"} <= set().union(*logged)


def test_resume_needs_a_checkpoint(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoints holds no whole checkpoint to resume"):
        start(tmp_path, conduct=Conduct(resume=True))
    whole = result(*start(tmp_path / "whole"))
    cut(tmp_path, 6)
    assert result(*start(tmp_path, conduct=Conduct(resume=True))) == whole
    with pytest.raises(ValueError, match="fresh discards what resume continues"):
        Conduct(resume=True, fresh=True)


def test_products_in_bfloat16_are_trained(tmp_path):
    recipe = replace(RECIPE, precision="bfloat16", epochs=6)
    net, outcome = start(tmp_path, recipe=recipe)
    assert outcome.precision == "bfloat16: as asked for"
    assert outcome.losses[-1] < outcome.losses[0]
    assert {weight.dtype for weight in net.parameters()} == {torch.float32}
    exact, _ = start(tmp_path / "exact", recipe=replace(recipe, precision="float32"))
    assert not torch.equal(
        net.state_dict()["layers.0.weight"], exact.state_dict()["layers.0.weight"]
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler's own imports
def test_a_compiled_training_that_is_cut_off_ends_as_if_it_had_not_been(tmp_path):
    recipe = replace(RECIPE, compiled=True, epochs=2)
    whole = result(*start(tmp_path / "whole", recipe=recipe))
    cut(tmp_path / "cut", 3, recipe=recipe)
    assert result(*start(tmp_path / "cut", recipe=recipe)) == whole
