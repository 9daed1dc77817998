from io import StringIO

import pytest
from rich.console import Console

from engram.progress import Step, bars, silent


def drawn(terminal: bool, *steps: Step) -> str:
    output = StringIO()
    with bars(Console(file=output, force_terminal=terminal, width=100)) as progress:
        for step in steps:
            progress(step)
    return output.getvalue()


def test_bars_are_drawn_on_a_terminal_only() -> None:
    step = Step("work", 1, 2, label="first piece")
    assert drawn(False, step) == ""
    shown = drawn(True, step)
    assert "first piece" in shown
    assert "1/2" in shown


@pytest.mark.parametrize(
    ("step", "amount"),
    [
        (Step("data.bin", 512_000, 512_000, "bytes"), "512.0/512.0 kB"),
        (Step("texts", 3, 40, "documents"), " 3/40"),
    ],
)
def test_a_bar_counts_in_the_unit_of_its_task(step: Step, amount: str) -> None:
    assert amount in drawn(True, step)


def test_each_task_has_a_bar() -> None:
    shown = drawn(True, Step("one", 0, 1), Step("two", 1, 5), Step("one", 1, 1))
    assert shown.count("two") >= 1
    assert "1/1" in shown
    assert "1/5" in shown


def test_silence_is_an_answer() -> None:
    assert silent(Step("work", 0, None)) is None
