"""The command line: a shell around short calls of Python."""

import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, make_dataclass, replace
from functools import reduce
from io import TextIOWrapper
from operator import or_
from typing import Annotated, Any, get_args

import tyro
from rich.console import Console
from tyro.conf import (
    FlagCreatePairsOff,
    OmitArgPrefixes,
    OmitSubcommandPrefixes,
    Suppress,
    subcommand,
)
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from engram import __version__
from engram.cli import tree
from engram.cli.words import repeat_options
from engram.errors import EngramError

DESCRIPTION = (
    "The toolkit for brain-inspired computing. `engram --version` prints the version; `--debug` "
    "with a command, or ENGRAM_DEBUG=1, shows the traceback of an error."
)

NO_MEMORY = re.compile("OutOfMemoryError|not enough memory|can't allocate memory")
"""What torch says when memory runs out; it raises RuntimeError on the CPU."""

Command = Callable[[], int]
"""A parsed command: it runs when called and returns the exit code."""


OPTIONS = ConstructorRegistry()
"""How the words of an option become its value, where tyro's own rules do not suffice."""


@OPTIONS.primitive_rule
def _optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Read `INT | None` like `INT`, in help and in errors, and the word None as None."""
    kinds = get_args(info.type)
    if type(None) not in kinds:
        return None
    other = reduce(or_, (kind for kind in kinds if kind is not type(None)))
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(other, info.markers))
    assert isinstance(spec, PrimitiveConstructorSpec)
    return replace(
        spec,
        instance_from_str=lambda words: (
            None if words == ["None"] else spec.instance_from_str(words)
        ),
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: (
            ["None"] if value is None else spec.str_from_instance(value)
        ),
    )


@dataclass(frozen=True)
class Untyped:
    """Stands for a command that was not typed: it is listed, and not imported."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Words after `engram`; None uses those of the process.

    Returns:
        The exit code: 0, 1 after a bug of Engram, 2 after a mistake of the user or an error of the
        operating system, 130 after an interrupt.
    """
    given = sys.argv[1:] if argv is None else argv
    words = [word for word in given if word != "--debug"]
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # what a terminal cannot show
    debug = len(words) < len(given) or os.environ.get("ENGRAM_DEBUG", "0") not in ("", "0")
    try:
        if words == ["--version"]:
            Console().print(f"engram {__version__}", highlight=False)
            return 0
        return parse(words)()
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  the last resort: it is printed, and the code is not 0
        if debug:
            traceback.print_exc()
        return _explain(error)


def _explain(error: Exception) -> int:
    """Print what went wrong on the error stream, and return the exit code."""
    text, code = str(error), 2
    what = f"{type(error).__name__}: {text.partition(chr(10))[0]}"
    if isinstance(error, MemoryError) or NO_MEMORY.search(what):
        text = f"there is not enough memory ({what}); choose smaller settings"
    elif not isinstance(error, EngramError | OSError):
        text, code = f"this is a bug in Engram: {what}; add --debug to see the traceback", 1
    Console(stderr=True).print(f"error: {text}", markup=False, highlight=False, soft_wrap=True)
    return code


def parse(words: Sequence[str]) -> Command:
    """Import the command that was typed, and read its options.

    Args:
        words: The words after `engram`.

    Raises:
        ValueError: If there is no such command.
        SystemExit: After printing help, or the options that are wrong.
    """
    typed = tree.typed(words)
    rest = words[len(typed.split()) :]
    if tree.members(typed):
        return read_options(alternatives(typed, {}), typed, rest or ["--help"])
    command = tree.load(typed)
    return read_options(command, typed, repeat_options(rest, command))


def read_options(kind: Any, typed: str, options: Sequence[str]) -> Command:
    """Make a command from its options.

    Args:
        kind: The class of the command, or the alternatives of a group.
        typed: The words of the command or group; empty for `engram` itself.
        options: The words that follow.
    """
    return tyro.cli(
        kind,
        prog=f"engram {typed}".strip(),
        description=tree.summary(typed) if typed else DESCRIPTION,
        args=options,
        config=(OmitArgPrefixes, OmitSubcommandPrefixes, FlagCreatePairsOff),
        registry=OPTIONS,
    )


def alternatives(group: str, loaded: Mapping[str, type]) -> Any:
    """The members of a group, as tyro takes them.

    Args:
        group: The words of the group.
        loaded: The commands whose options are to be known, by their words.
    """
    found = []
    for words in tree.members(group):
        kind = loaded.get(words, Untyped)
        if tree.members(words):
            kind = make_dataclass("Group", [("command", alternatives(words, loaded))], frozen=True)
        named = subcommand(words.split()[-1], description=tree.summary(words))
        found.append(Annotated[kind, named])
    # the hidden None keeps a single member a subcommand
    return reduce(or_, found, Annotated[None, Suppress])
