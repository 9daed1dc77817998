"""Options that may be given several times, and the words that belong to them.

`--facets type --facets party`, `--facets type,party` and `--facets type party` are equivalent. An
option takes the word after it, and further ones only while they are of its kind, so that it does
not consume the query, path or file that comes next.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import NamedTuple


class Several(NamedTuple):
    """Marks a field whose option may be given several times.

    Args:
        of_kind: Whether a further word belongs to the option; None if it may be any word.
    """

    of_kind: Callable[[str], bool] | None = None


def repeat_options(words: Sequence[str], command: type) -> list[str]:
    """Rewrite an option with several words as the option repeated before each of them.

    If an option takes arbitrary words, such as names, all words after it belong to it if the
    command already has its positional arguments; otherwise only the first does.

    Args:
        words: The words after those of the command.
        command: The dataclass whose fields are the options.
    """
    flags = {f"--{field.name}".replace("_", "-"): field.type is bool for field in fields(command)}
    several = _several(command)
    result, asked, i = [], False, 0
    while i < len(words):
        option, equals, value = words[i].partition("=")
        flag = option.replace("_", "-")
        i += 1
        if not option.startswith("--"):
            result.append(words[i - 1])
            asked = True
        elif flag not in several:
            result.append(words[i - 1])
            takes_a_word = not equals and not flags.get(flag, True)
            if takes_a_word and i < len(words):
                result.append(words[i])
                i += 1
        else:
            kind = several[flag]
            own, i = ([value], i) if equals else _own(words, i, kind, asked)
            result += [word for one in _split(own, kind) for word in (option, one)] or [option]
    return result


def _several(command: type) -> dict[str, Several]:
    """The fields of a command that are marked, by option."""
    return {
        f"--{field.name}".replace("_", "-"): mark
        for field in fields(command)
        for mark in getattr(field.type, "__metadata__", ())
        if isinstance(mark, Several)
    }


def _own(words: Sequence[str], start: int, several: Several, asked: bool) -> tuple[list[str], int]:
    """The words that belong to an option, and the position after them."""
    own: list[str] = []
    for word in words[start:]:
        further = asked if several.of_kind is None else several.of_kind(word)
        if word.startswith("--") or (own and not further):
            break
        own.append(word)
    return own, start + len(own)


def _split(own: Sequence[str], several: Several) -> list[str]:
    """The words, with comma-separated ones split."""
    if several.of_kind is None:
        return list(own)
    parts = [word.split(",") for word in own]
    return [
        one
        for word, split in zip(own, parts, strict=True)
        for one in (split if all(map(several.of_kind, split)) else [word])
    ]
