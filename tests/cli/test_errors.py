"""What a command prints and returns after a mistake, an error of the system, and a bug."""

import os
import subprocess
import sys

import pytest
import torch

from engram import cli
from engram.errors import EngramError
from engram.policy import ingest


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr("engram.data.path", fail)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (EngramError("k is 0; give 1 or more"), 2, "error: k is 0; give 1 or more\n"),
        (
            FileNotFoundError(2, "No such file", "a.csv"),
            2,
            "error: [Errno 2] No such file: 'a.csv'\n",
        ),
        (ValueError("bad value"), 1, "error: this is a bug in Engram: ValueError: bad value; "),
        (KeyError("k"), 1, "error: this is a bug in Engram: KeyError: 'k'; "),
        (RuntimeError("one\ntwo"), 1, "error: this is a bug in Engram: RuntimeError: one; "),
        (MemoryError("8 TiB"), 2, "error: there is not enough memory (MemoryError: 8 TiB); "),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_one_line_and_has_its_code(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.delenv("ENGRAM_DEBUG", raising=False)
    fail_with(monkeypatch, error)
    assert cli.main(["data", "path", "digits"]) == code
    text = capsys.readouterr().err
    assert text.startswith(message)
    assert text.count("\n") == (message != "")
    assert ("--debug" in text) == (code == 1)


@pytest.mark.parametrize(
    "words", ["--debug data path x", "data --debug path x", "data path x --debug"]
)
@pytest.mark.parametrize("error", [EngramError("a mistake"), ValueError("a bug")])
def test_debug_shows_the_traceback_wherever_it_stands(
    words: str, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    fail_with(monkeypatch, error)
    assert cli.main(words.split()) == (2 if isinstance(error, EngramError) else 1)
    text = capsys.readouterr().err
    assert text.startswith("Traceback (most recent call last):")
    assert f"{type(error).__name__}: {error}" in text


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False), ("", False)])
def test_debug_can_be_a_variable(
    value: str, shown: bool, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("ENGRAM_DEBUG", value)
    fail_with(monkeypatch, EngramError("a mistake"))
    assert cli.main(["data", "path", "x"]) == 2
    assert ("Traceback" in capsys.readouterr().err) == shown


def test_an_option_that_may_be_left_out_reads_like_its_kind(capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["policy", "query", "--help"])
    text = capsys.readouterr().out
    assert "--limit INT" in text
    assert "{None}" not in text
    with pytest.raises(SystemExit) as end:
        cli.main(["policy", "query", "tax", "--limit", "x"])
    assert end.value.code == 2
    text = capsys.readouterr().err
    assert "Error parsing --limit: invalid literal for int() with base 10: 'x'" in text
    assert "engram policy query --help" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("own.csv --encoding undefined", "encoding 'undefined' is not known"),
        ("own.csv --encoding \0", "is not known"),
        ("own.csv --store http://", "http:// cannot be read"),
        ("tcp://x:1", "tcp://x:1 cannot be opened (ValueError)"),
        ("own.csv --workers s3://x", "workers is 's3://x', where no Dask scheduler answers"),
    ],
)
def test_a_mistake_is_not_called_a_bug(
    words: str, message: str, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text("Day,Speech\n2001-02-03,The tax.\n")
    options = ["--map", "date=Day", "text=Speech"]
    options += [] if "--workers" in words else ["--workers", "1"]
    options += [] if "--store" in words else ["--store", "s"]
    assert cli.main(["policy", "ingest", *words.split(" "), *options]) == 2
    text = capsys.readouterr().err
    assert message in text
    assert text.count("\n") == 1


@pytest.mark.parametrize("encoding", ["punycode", "idna", "utf-16", "ascii"])
def test_a_text_in_another_encoding_is_quarantined(
    encoding: str, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text("Day,Speech\n2001-02-03,Café, odd.\n")
    options = ("--workers", "1", "--store", "s", "--map", "date=Day", "text=Speech")
    assert cli.main(["policy", "ingest", "own.csv", *options, "--encoding", encoding]) in (0, 1)
    assert "malformed" in capsys.readouterr().out


def test_a_limit_of_any_length_is_a_number(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2001-02-03-a.txt").write_text("The tax.")
    words = ["2001-02-03-a.txt", "--workers", "1", "--store", "s", "--limit", f"{'9' * 400}GB"]
    assert cli.main(["policy", "ingest", *words]) == 0
    assert "documents" in capsys.readouterr().out


def test_output_that_the_terminal_cannot_show_is_written_with_escapes(tmp_path) -> None:
    (tmp_path / "2001-02-03-a.txt").write_text("The tax.")
    ingest([tmp_path / "2001-02-03-a.txt"], tmp_path / "record", workers=1)
    script = "import sys; from engram.cli import main; sys.exit(main(['policy', 'context', 'tax']))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout.splitlines()[-1] == "1\\u20131 of 1 occurrences"


def test_memory_that_does_not_suffice_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    fail_with(monkeypatch, raised.value)
    assert cli.main(["data", "path", "x"]) == 2
    assert "there is not enough memory" in capsys.readouterr().err
