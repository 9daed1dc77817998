"""Options that may be given several times, and the words that belong to them.

`--facets type --facets party`, `--facets type,party` and `--facets type party` are equivalent. An
option takes the word after it, and further ones only while they are of its kind, so that it does
not consume the query, path or file that comes next.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import get_args

from engram.cli.policy.asking import Field
from engram.cli.policy.commands import COMMANDS

SUFFIXES = (".csv", ".json", ".png")
"""Suffixes of the files written by `export`."""


def _is_field(word: str) -> bool:
    return word in get_args(Field)


def _is_file(word: str) -> bool:
    return word.lower().endswith(SUFFIXES)


def _is_loader(word: str) -> bool:
    from engram.policy.loader import LOADERS  # noqa: PLC0415  not for --help

    return word in LOADERS


def _is_indicator(word: str) -> bool:
    from engram.policy.relate import INDICATORS  # noqa: PLC0415  not for --help

    return word in INDICATORS


def _is_pair(word: str) -> bool:
    return "=" in word


def _is_unknown(_: str) -> bool:
    return False


SEVERAL: dict[str, Callable[[str], bool]] = {
    "--facets": _is_field,
    "--out": _is_file,
    "--loaders": _is_loader,
    "--indicators": _is_indicator,
    "--map": _is_pair,
    "--constant": _is_pair,
    "--columns": _is_unknown,
    "--names": _is_unknown,
}
"""Whether a further word is of the kind of an option; names and columns may be any word."""


def repeat_options(words: Sequence[str]) -> list[str]:
    """Rewrite an option with several words as the option repeated before each of them.

    If an option takes arbitrary words, such as names, all words after it belong to it if the
    command already has its queries; otherwise only the first does.

    Args:
        words: The words of `engram policy COMMAND ...`, including the first two.
    """
    command = _command(words)
    if command is None:
        return list(words)
    flags = {f"--{field.name}".replace("_", "-"): field.type is bool for field in fields(command)}
    result, asked, i = list(words[:2]), False, 2
    while i < len(words):
        option, equals, value = words[i].partition("=")
        i += 1
        if not option.startswith("--"):
            result.append(words[i - 1])
            asked = True
        elif option.replace("_", "-") not in SEVERAL:
            result.append(words[i - 1])
            takes_a_word = not equals and not flags.get(option.replace("_", "-"), True)
            if takes_a_word and i < len(words):
                result.append(words[i])
                i += 1
        else:
            of_kind = SEVERAL[option.replace("_", "-")]
            own, i = ([value], i) if equals else _own(words, i, of_kind, asked)
            result += [word for one in _split(own, of_kind) for word in (option, one)] or [option]
    return result


def _command(words: Sequence[str]) -> type | None:
    if len(words) > 2 and words[0] == "policy":
        return COMMANDS.get(words[1])
    return None


def _own(
    words: Sequence[str], start: int, of_kind: Callable[[str], bool], asked: bool
) -> tuple[list[str], int]:
    """The words that belong to an option, and the position after them."""
    own: list[str] = []
    for word in words[start:]:
        further = of_kind(word) or (of_kind is _is_unknown and asked)
        if word.startswith("--") or (own and not further):
            break
        own.append(word)
    return own, start + len(own)


def _split(own: Sequence[str], of_kind: Callable[[str], bool]) -> list[str]:
    """The words, with comma-separated ones split."""
    parts = [word.split(",") for word in own]
    return [
        one
        for word, several in zip(own, parts, strict=True)
        for one in (several if all(map(of_kind, several)) else [word])
    ]
