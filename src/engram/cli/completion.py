"""`engram completion`: a completion script for a shell."""

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

from engram.cli import tree
from engram.cli.shell import alternatives, read_options


@dataclass(frozen=True)
class Completion:
    """Print a completion script for a shell, with the flags of every study.

    Args:
        shell: The shell that will read the script.
    """

    shell: Positional[Literal["bash", "zsh", "tcsh"]]

    def __call__(self) -> int:
        """Import every command and print the script."""
        loaded = {words: tree.load(words) for words in tree.lines() if not tree.members(words)}
        # The parser prints the script, and exits before there is a command to run.
        kind = alternatives("", loaded)
        return read_options(kind, "", ["--tyro-write-completion", self.shell, "-"])()
