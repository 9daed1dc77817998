"""The table of commands: every file has its line, and only the typed command is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from engram import cli
from engram.cli import tree

FOLDER = Path(cli.__file__).parent
SHARED = {"output", "shell", "tree", "words", "policy asking", "policy reading"}
"""Files that are not commands."""
HEAVY = {
    "apsw", "httpx", "matplotlib", "numba", "numpy", "pandas", "pyarrow", "scipy", "sklearn",
    "statsmodels", "torch",
}  # fmt: skip


def test_every_file_has_its_line_and_every_line_its_file() -> None:
    files = (path.relative_to(FOLDER).with_suffix("") for path in FOLDER.rglob("*.py"))
    typed = {" ".join(file.parts) for file in files if file.name != "__init__"}
    assert typed - SHARED == set(tree.COMMANDS)
    for words, line in tree.COMMANDS.items():
        assert line.target.partition(":")[0] == f"engram.cli.{words.replace(' ', '.')}"


@pytest.mark.parametrize("words", sorted(tree.COMMANDS.keys() - {"energy"}))
def test_the_summary_is_the_first_line_of_the_docstring(words: str) -> None:
    docstring = tree.load(words).__doc__ or ""
    assert docstring.partition("\n")[0] == tree.COMMANDS[words].summary


def test_a_folder_is_a_group_and_says_what_it_holds() -> None:
    folders = {path.parent.relative_to(FOLDER).parts for path in FOLDER.rglob("__init__.py")}
    groups = {" ".join(folder) for folder in folders} - {""}
    assert groups | {tree.STUDY} == {words for words in _prefixes() if tree.members(words)}
    assert all(tree.summary(group).endswith(".") for group in groups)


def _prefixes() -> set[str]:
    split = [words.split() for words in tree.lines()]
    return {" ".join(words[:depth]) for words in split for depth in range(1, len(words) + 1)}


def imported(words: list[str]) -> set[str]:
    """The modules in memory after a command."""
    script = (
        f"import sys\nfrom engram.cli import main\ntry: main({words!r})\nexcept SystemExit: pass\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words", ["--help", "--version", "study list", "study run --help", "policy"]
)
def test_lists_of_commands_import_nothing_heavy(words: str) -> None:
    assert not imported(words.split()) & HEAVY


def test_only_the_typed_command_is_imported() -> None:
    modules = {name for name in imported(["policy", "verify", "--help"]) if "engram.cli." in name}
    others = {line.target.partition(":")[0] for line in tree.COMMANDS.values()}
    assert modules & others == {"engram.cli.policy.verify"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("policyx query tax", "there is no command 'policyx'; did you mean 'policy'?"),
        ("policy queryx tax", "there is no command 'queryx'; did you mean 'query'?"),
        ("policy solr xyzzy", "there is no command 'xyzzy'; see `engram policy solr --help`"),
        ("xyzzy", "there is no command 'xyzzy'; see `engram --help`"),
    ],
)
def test_a_word_that_is_no_command(words: str, message: str, capsys) -> None:
    assert cli.main(words.split()) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
