"""The command line."""

from engram.cli.shell import main

__all__ = ["main"]
