import json

import pytest

from engram.train import Metrics, tensorboard


def test_a_resumed_run_writes_the_later_lines_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with Metrics(path) as metrics:
        for step in (1, 2, 3):
            metrics(step, {"loss": step / 2})
    with path.open("a") as file:
        file.write('{"step": 4, "lo')  # of a run that was killed
    with Metrics(path, step=2) as metrics:
        metrics(3, {"loss": float("nan")})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": 1.0},
        {"step": 3, "loss": None},
    ]


def test_a_kill_while_the_lines_are_read_loses_none(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 0.5}\n')

    def killed(_self, _target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            Metrics(path, step=1)
    assert path.read_text() == '{"step": 1, "loss": 0.5}\n'


@pytest.mark.filterwarnings("ignore")  # of tensorboard's own imports
def test_tensorboard_reads_the_values_back(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = tensorboard(tmp_path)
    for step in (1, 2):
        log(step, {"loss": 1.0 / step})
    found = EventAccumulator(str(tmp_path))
    found.Reload()
    assert [(event.step, event.value) for event in found.Scalars("loss")] == [(1, 1.0), (2, 0.5)]
