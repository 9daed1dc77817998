"""Persons: one name, party and state per person, whatever the spellings of the sources.

Presidents are known from a table. Members of Congress are known from the record itself:

- "Sessions, Jeff", "JEFF SESSIONS" and "Jeff Sessions" are one spelling; the most frequent form
  with the given name first is shown.
- Two full names are one person if they are spoken in one chamber of one Congress, share the family
  name, do not differ in state or party, and the given names agree as far as both tell ("Jeff" and
  "Jefferson B."), and if no third name there fits only one of them.
- "Mr. SESSIONS", with or without "of Alabama", is the one member of that family name who is known
  by a full name in the same chamber and Congress. If there are two or none, it stays as it is.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cached_property
from typing import NamedTuple

from engram.policy.loader.material import state as postal_code
from engram.policy.presidents import given_first, president_named

Who = tuple[str | None, str | None, str | None, str | None, int | None]
"""Speaker, party, state, chamber and Congress, as given by a source."""

_PRINTED = re.compile(
    r"(?:The )?(?:Mr|Mrs|Ms|Miss|Dr|Senator|Representative)\.? +(?:Manager +)?"
    r"(?P<family>[^,()]+?)(?: +of +(?P<state>[A-Z][A-Za-z ]+?))?\.?"
)
_TITLED = re.compile(r"(?:The|Mr|Mrs|Ms|Miss|Dr|Messrs|Senator|Representative)\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“(][^\"”)]*[\"”)]")
_SUFFIXES = frozenset(("jr", "sr", "ii", "iii", "iv"))


class Person(NamedTuple):
    """A speaker as shown in the record.

    Args:
        name: The name.
        party: The party.
        state: The state.
    """

    name: str | None
    party: str | None
    state: str | None


class _Name(NamedTuple):
    """A full name in parts, folded; families of one to three words are tried."""

    words: tuple[str, ...]
    suffixes: frozenset[str]


class Persons:
    """Resolves the speakers of a record from the frequencies of their names.

    Args:
        speakers: Number of documents of each speaker as given by the sources.
    """

    def __init__(self, speakers: Mapping[Who, int]) -> None:
        self._shown = _Shown()
        full = [(who, n) for who, n in speakers.items() if who[0] and not _is_printed(who[0])]
        for who, count in full:
            self._shown.add(who[0] or "", count)
        self._seats: dict[tuple[str, int], dict[str, _Seat]] = defaultdict(dict)
        for who, _ in full:
            self._sit(who)
        for seats in self._seats.values():
            self._shown.join(_same(seats))
        self._families: dict[tuple[str, int], dict[str, set[str]]] = {
            where: _families(seats) for where, seats in self._seats.items()
        }

    def resolve(self, who: Who, day: date) -> Person:
        """Return the speaker of a document as shown in the record."""
        name, party, state, chamber, _ = who
        if not name:
            return Person(name, party, state)
        executive = chamber == "executive"
        president = president_named(name, day, executive)
        if president:
            return Person(president.name, president.party if executive else party, state)
        return self._member(who)

    def _member(self, who: Who) -> Person:
        name, party, state, *_ = who
        assert name is not None
        where = _where(who)
        known = self._printed(name, state, where) if _is_printed(name) else fold(name)
        if known is None:
            return Person(name, party, state)
        seats = self._seats.get(where, {}) if where else {}
        group = [seat for key, seat in seats.items() if self._shown.same(key, known)]
        parties = {one for seat in group for one in seat.parties}
        states = {one for seat in group for one in seat.states}
        return Person(
            self._shown.of(known),
            party or (next(iter(parties)) if len(parties) == 1 else None),
            state or (next(iter(states)) if len(states) == 1 else None),
        )

    def _printed(self, name: str, state: str | None, where: tuple[str, int] | None) -> str | None:
        """The folded full name that a printed name refers to; None if uncertain."""
        found = _PRINTED.fullmatch(name)
        if found is None or where not in self._families:
            return None
        of = _code(found["state"] or state)
        seats = self._seats[where]
        fits = {
            self._shown.root(key)
            for key in self._families[where].get(_plain(found["family"]), ())
            if not of or not seats[key].codes or of in seats[key].codes
        }
        return fits.pop() if len(fits) == 1 else None

    def _sit(self, who: Who) -> None:
        where = _where(who)
        if where is None or not who[0]:
            return
        seat = self._seats[where].setdefault(fold(who[0]), _Seat(set(), set(), set()))
        if who[1]:
            seat.parties.add(who[1])
        if who[2]:
            seat.states.add(who[2])
            seat.codes.add(_code(who[2]))


class _Seat(NamedTuple):
    """The known facts about a full name in a chamber of a Congress."""

    parties: set[str]
    states: set[str]
    codes: set[str]


class _Shown:
    """Group spellings by person, with the spelling that is shown."""

    def __init__(self) -> None:
        self._spellings: dict[str, Counter[str]] = defaultdict(Counter)
        self._parent: dict[str, str] = {}

    def add(self, name: str, count: int) -> None:
        self._spellings[fold(name)][given_first(name)] += count

    def join(self, pairs: Iterable[tuple[str, str]]) -> None:
        for one, other in pairs:
            a, b = sorted((self.root(one), self.root(other)))
            if a != b:
                self._parent[b] = a

    def root(self, folded: str) -> str:
        while folded in self._parent:
            folded = self._parent[folded]
        return folded

    def same(self, one: str, other: str) -> bool:
        return self.root(one) == self.root(other)

    def of(self, folded: str) -> str:
        return self._best[self.root(folded)]

    @cached_property
    def _best(self) -> dict[str, str]:
        groups: dict[str, Counter[str]] = defaultdict(Counter)
        for folded, spellings in self._spellings.items():
            groups[self.root(folded)].update(spellings)
        return {root: min(names, key=_preference(names)) for root, names in groups.items()}


def _preference(names: Counter[str]) -> Callable[[str], tuple[bool, int, int, str]]:
    """Sort key: mixed case, then frequency, then length, then alphabetical order."""
    return lambda name: (name.isupper() or name.islower(), -names[name], -len(name), name)


def fold(name: str) -> str:
    """Normalise a full name: given name first; no diacritics, full stops, nicknames or case.

    Args:
        name: "Sessions, Jeff", "JEFF SESSIONS", 'Crawford, Eric A. "Rick"'.
    """
    return _plain(_QUOTED.sub(" ", given_first(name)))


def family_of(name: str) -> str:
    """Return the folded family name of a speaker from a full or a printed name.

    Args:
        name: "Jeff Sessions", "Mr. SESSIONS of Alabama".
    """
    printed = _PRINTED.fullmatch(name) if _is_printed(name) else None
    words = _parts(_plain(printed["family"]) if printed else fold(name)).words
    return words[-1] if words else ""


def _plain(text: str) -> str:
    marked = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in marked if not unicodedata.combining(c)).casefold()
    return " ".join(re.sub(r"[.,]", " ", letters.replace("’", "'")).split())


def _is_printed(name: str) -> bool:
    """Whether a name is not a full name but a title and a family name, or an office."""
    return bool(_TITLED.match(name)) or len(name.split()) < 2


def _where(who: Who) -> tuple[str, int] | None:
    """The chamber and the Congress; extensions are remarks of members of the House."""
    chamber = "house" if who[3] == "extensions" else who[3]
    return (chamber, who[4]) if chamber in ("house", "senate") and who[4] else None


def _code(state: str | None) -> str:
    return _plain(postal_code(state) or "")


def _parts(folded: str) -> _Name:
    words = folded.split()
    return _Name(
        tuple(word for word in words if word not in _SUFFIXES),
        frozenset(word for word in words if word in _SUFFIXES),
    )


def _families(seats: Mapping[str, _Seat]) -> dict[str, set[str]]:
    """The full names of a chamber by possible family names: the last one to three words."""
    found: dict[str, set[str]] = defaultdict(set)
    for folded in seats:
        words = _parts(folded).words
        for size in range(1, min(3, len(words) - 1) + 1):
            found[" ".join(words[-size:])].add(folded)
    return found


def _same(seats: Mapping[str, _Seat]) -> list[tuple[str, str]]:
    """The pairs of full names of a chamber that belong to one person."""
    families: dict[str, list[str]] = defaultdict(list)
    for folded in sorted(seats):
        families[_parts(folded).words[-1]].append(folded)
    pairs = []
    for names in families.values():
        fits = {
            name: {
                other
                for other in names
                if other != name and _agree(name, other) and _agree_seats(seats[name], seats[other])
            }
            for name in names
        }
        pairs += [
            (name, other)
            for name in names
            for other in fits[name]
            if name < other and fits[name] - {other} == fits[other] - {name}
        ]
    return pairs


def _agree(one: str, other: str) -> bool:
    """Whether two folded full names with the same family name can belong to one person."""
    a, b = _parts(one), _parts(other)
    if a.suffixes and b.suffixes and a.suffixes != b.suffixes:
        return False
    first, second = a.words[:-1], b.words[:-1]
    if not first or not second or not _agree_given(first[0], second[0]):
        return False
    return all(map(_agree_middle, first[1:], second[1:]))


def _agree_given(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) >= 3 and long.startswith(short))


def _agree_middle(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long.startswith(short)


def _agree_seats(one: _Seat, other: _Seat) -> bool:
    """Whether states and parties are compatible."""
    return all(
        not a or not b or a & b for a, b in ((one.codes, other.codes), (one.parties, other.parties))
    )
