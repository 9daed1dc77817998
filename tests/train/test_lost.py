import pytest

from engram.train import processes
from tests.train import launch


def said(end: str) -> str:
    """What the first of two processes says when the second sleeps or is killed at step 3."""
    first, second = launch.start("tests.train.sleeper", [end], 2)
    text = first.communicate()
    second.kill()
    assert first.returncode == 2, text
    return text


@pytest.mark.parametrize("end", ["sleeping", "killed"])
def test_a_process_that_does_not_answer_is_named_with_the_step(end):
    text = said(end)
    assert "process 0 of 2 waited for process 1 at step 3 (gradients)" in text
    assert "give the same command again, which continues from the last checkpoint" in text
    assert "--timeout-s" in text
    assert float(text.split()[-2]) < 15  # and not the 20 s of the other's sleep


def test_a_process_that_never_starts_is_waited_for_in_vain(monkeypatch):
    for name, value in launch.shared(2).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RANK", "0")
    with (
        pytest.raises(ValueError, match="process 0 of 2 waited for the others to start"),
        processes(timeout_s=1),
    ):
        pass


def test_a_timeout_must_be_positive():
    with pytest.raises(ValueError, match="timeout_s=0"), processes(timeout_s=0):
        pass
