"""The README and the pages say what is so: their commands parse, their code runs, links lead on."""

import re
import shlex
from pathlib import Path

import pytest

from engram.cli import shell, tree

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
PAGES += ROOT.glob("src/engram/**/README.md")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def lines(page: Path, start: str) -> list[str]:
    """The commands of a page that start with a word, without their comments."""
    blocks = [text for language, text in BLOCK.findall(page.read_text()) if language != "python"]
    commands = [line.split("#")[0].strip() for text in blocks for line in text.splitlines()]
    return [command for command in commands if command.split()[:1] == [start]]


COMMANDS = [(page, line) for page in PAGES for line in lines(page, "engram")]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[line for _, line in COMMANDS])
def test_a_command_of_the_pages_is_one(page: Path, line: str) -> None:
    words = shlex.split(line)[1:]
    if words != ["--version"]:
        assert callable(shell.parse(words))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_of_the_pages_runs(page: Path) -> None:
    for language, text in BLOCK.findall(page.read_text()):
        if language == "python":
            exec(compile(text, str(page), "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_make_knows_what_the_readme_names() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for line in lines(ROOT / "README.md", "make") for word in line.split()[1:2]}
    assert {"run", "test"} <= named <= targets


@pytest.mark.parametrize("words", tree.lines())
def test_every_study_and_command_is_on_some_page(words: str) -> None:
    assert any(f"engram {words}" in page.read_text() for page in PAGES)
