"""Match names in filters with those of a record: alternative spellings, and errors."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import get_close_matches

from engram.errors import EngramError
from engram.policy.presidents import speaker_spellings
from engram.policy.query.filters import KNOWN
from engram.policy.query.tree import And, Node, Not, OneOf, Or, key

_PARTIES = (
    "d dem democrat democrats democratic",
    "r rep republican republicans gop",
    "i ind independent independents",
    "w whig whigs",
    "f fed federalist federalists",
    "l lib libertarian libertarians",
)
_STATES = """AL Alabama AK Alaska AZ Arizona AR Arkansas CA California CO Colorado CT Connecticut
DE Delaware DC District_of_Columbia FL Florida GA Georgia HI Hawaii ID Idaho IL Illinois IN Indiana
IA Iowa KS Kansas KY Kentucky LA Louisiana ME Maine MD Maryland MA Massachusetts MI Michigan
MN Minnesota MS Mississippi MO Missouri MT Montana NE Nebraska NV Nevada NH New_Hampshire
NJ New_Jersey NM New_Mexico NY New_York NC North_Carolina ND North_Dakota OH Ohio OK Oklahoma
OR Oregon PA Pennsylvania RI Rhode_Island SC South_Carolina SD South_Dakota TN Tennessee TX Texas
UT Utah VT Vermont VA Virginia WA Washington WV West_Virginia WI Wisconsin WY Wyoming
AS American_Samoa GU Guam MP Northern_Mariana_Islands PR Puerto_Rico VI Virgin_Islands"""

SPELLINGS: dict[str, dict[str, frozenset[str]]] = {
    "party": {name: frozenset(group.split()) for group in _PARTIES for name in group.split()},
    "state": {
        name: frozenset(pair)
        for code, state in zip(_STATES.split()[::2], _STATES.split()[1::2], strict=True)
        for pair in [(code.lower(), state.replace("_", " ").lower())]
        for name in pair
    },
}
"""By field, the equivalent spellings of each name, normalised by `key`."""

_SHOWN = 6
"""Maximum number of names that an error suggests."""

Names = Callable[[str], Iterable[str]]
"""Returns the names in a field of the record."""


class UnknownValueError(EngramError):
    """A filter has a name that no document has."""


def resolve(node: Node, names: Names) -> Node:
    """Replace each filter's names by those of the record.

    A name matches all names of the record that are equal except for case and spaces. It also
    matches the code and the full name of a state, the usual short forms of a party, a speaker's
    name with the family name first, and all spellings of a president. Nothing else is guessed:
    part of a name raises an error that suggests full names.

    Args:
        node: The query.
        names: Returns the names in a field of the record.

    Raises:
        UnknownValueError: If a filter's name is in no document; the message suggests those that
            are. Types and chambers are always known, even if the record has no such document.
    """
    match node:
        case And(parts) | Or(parts):
            return type(node)(tuple(resolve(part, names) for part in parts))
        case Not(part):
            return Not(resolve(part, names))
        case OneOf(field, values) if field not in KNOWN:
            held = list(names(field))
            keys = {key(name) for name in held}
            found = [sorted(_spellings(field, value) & keys) for value in values]
            for value, meant in zip(values, found, strict=True):
                if not meant:
                    raise UnknownValueError(_problem(field, value, held))
            meant = dict.fromkeys(name for some in found for name in some)
            return replace(node, values=tuple(meant) or values)
        case _:
            return node


def _spellings(field: str, value: str) -> frozenset[str]:
    if field == "speaker":
        return frozenset(map(key, speaker_spellings(value))) | {value}
    name = value.removesuffix(" party") if field == "party" else value
    return SPELLINGS.get(field, {}).get(name, frozenset()) | {value}


def _problem(field: str, value: str, held: list[str]) -> str:
    if not held:
        return f"no document of this record has a {field}; leave {field}:{value} out"
    start = f"no document has the {field} {value!r}"
    near = sorted(dict.fromkeys(_nearest(value, held)))
    if not near:
        shown = ", ".join(map(str, sorted(held)[:_SHOWN]))
        more = f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else ""
        return f"{start}; there are {shown}{more}"
    quoted = [f'"{name}"' if not name.isalnum() else name for name in near[:_SHOWN]]
    more = f" ({len(near) - _SHOWN} more names are similar)" if len(near) > _SHOWN else ""
    several = "{" + ", ".join(quoted) + "}" if len(quoted) > 1 else quoted[0]
    return f"{start}; write {field}:{several}{more}"


def _nearest(value: str, held: list[str]) -> list[str]:
    """Names that contain all words of the value, begin with it, or are spelt similarly."""
    words = set(_words(value))
    if parts := [name for name in held if words <= set(_words(key(name)))]:
        return parts
    if begun := [name for name in held if any(x.startswith(value) for x in _words(key(name)))]:
        return begun
    by_key = {key(name): name for name in held}
    close = get_close_matches(value, by_key, n=_SHOWN, cutoff=0.7)
    by_word = {word: name for name in held for word in _words(key(name)) if len(word) > 2}
    close_words = get_close_matches(value.rsplit(maxsplit=1)[-1], by_word, n=3, cutoff=0.75)
    return [by_key[name] for name in close] or [
        name for name in held if set(_words(key(name))) & set(close_words)
    ]


def _words(name: str) -> list[str]:
    return [word.strip(".,()'\"") for word in name.replace("-", " ").split()]
