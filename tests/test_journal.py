import os
from pathlib import Path

import numpy as np
import pytest

from engram.journal import Journal


@pytest.mark.skipif(os.name != "posix", reason="files are locked on POSIX only")
def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, "a"), pytest.raises(ValueError, match="another process is running in"):
        Journal(path, "a")
    with Journal(path, "a"):
        pass


def test_a_piece_gives_what_json_gives_back() -> None:
    with Journal() as journal:
        value = journal.once("piece", lambda: {"shape": (1, 2), "path": Path("a") / "b"})
    assert value == {"shape": [1, 2], "path": str(Path("a/b"))}


@pytest.mark.parametrize("value", [np.zeros(2), np.float32(1), float("nan"), {1, 2}])
def test_a_piece_that_json_cannot_hold_is_refused(value: object) -> None:
    with Journal() as journal, pytest.raises(ValueError, match=r"result of 'piece'.*tolist"):
        journal.once("piece", lambda: {"x": value})


def test_two_pieces_of_one_name_are_refused() -> None:
    with Journal() as journal:
        journal.once("piece", dict)
        with pytest.raises(ValueError, match="two pieces of work have the key 'piece'"):
            journal.once("piece", dict)


def test_a_journal_damaged_in_its_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, "a") as journal:
        journal.once("piece", dict)
    path.write_bytes(b"{" + path.read_bytes())
    with pytest.raises(ValueError, match=r"journal.*is damaged.*--fresh"):
        Journal(path, "a")


def test_what_is_lacking_is_counted() -> None:
    with Journal() as journal:
        journal.expect(2)
        journal.once("first piece", dict)
        assert journal.lacks == "1 of 2 pieces of work"


def test_a_journal_without_finished_pieces_belongs_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, "a"):
        pass
    with Journal(path, "b") as journal:
        journal.once("piece", dict)
    with pytest.raises(ValueError, match="other settings"):
        Journal(path, "a")
