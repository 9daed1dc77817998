"""The presidents of the United States: names, spellings, parties and terms of office.

References:
    Dates of office: U.S. Constitution, Twentieth Amendment (terms end on 20 January since 1937,
    on 4 March before), and the Biographical Directory of the United States Congress.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

BEFORE = "before 30 April 1789"
"""The label of the days before the first president."""

_SUFFIXES = frozenset(("jr", "sr", "ii", "iii", "iv"))
_ADULT = 25
"""The minimum age of a speaker in the record."""


@dataclass(frozen=True, slots=True)
class Term:
    """An uninterrupted stay in office.

    Args:
        start: The first day.
        end: The day on which the next president took office; None for the incumbent.
    """

    start: date
    end: date | None

    def __contains__(self, day: date) -> bool:
        return self.start <= day and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class President:
    """A president.

    Args:
        name: The name shown in the record.
        party: The party during the presidency.
        terms: The stays in office, in order; two for Cleveland and for Trump.
        born: The year of birth.
        died: The year of death, or None.
        spellings: Other names that sources use, "William J. Clinton".
    """

    name: str
    party: str
    terms: tuple[Term, ...]
    born: int
    died: int | None
    spellings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the shown one first."""
        return (self.name, *self.spellings)

    def lived(self, day: date) -> bool:
        """Whether the person can have spoken on a day."""
        return self.born + _ADULT <= day.year and (self.died is None or day.year <= self.died)


def _term(start: str, end: str | None) -> Term:
    return Term(date.fromisoformat(start), date.fromisoformat(end) if end else None)


_D, _R, _W, _DR = "Democratic", "Republican", "Whig", "Democratic-Republican"

# name; party; first day and day of the successor, for each stay in office; life; spellings
_TABLE: tuple[tuple[str, str, str, int, int | None, str], ...] = (
    ("George Washington", "Independent", "1789-04-30 1797-03-04", 1732, 1799, ""),
    ("John Adams", "Federalist", "1797-03-04 1801-03-04", 1735, 1826, ""),
    ("Thomas Jefferson", _DR, "1801-03-04 1809-03-04", 1743, 1826, ""),
    ("James Madison", _DR, "1809-03-04 1817-03-04", 1751, 1836, ""),
    ("James Monroe", _DR, "1817-03-04 1825-03-04", 1758, 1831, ""),
    ("John Quincy Adams", _DR, "1825-03-04 1829-03-04", 1767, 1848, "John Q. Adams"),
    ("Andrew Jackson", _D, "1829-03-04 1837-03-04", 1767, 1845, ""),
    ("Martin Van Buren", _D, "1837-03-04 1841-03-04", 1782, 1862, ""),
    (
        *("William Henry Harrison", _W, "1841-03-04 1841-04-04", 1773, 1841),
        "William Harrison; William H. Harrison",
    ),
    ("John Tyler", _W, "1841-04-04 1845-03-04", 1790, 1862, ""),
    ("James K. Polk", _D, "1845-03-04 1849-03-04", 1795, 1849, "James Polk; James Knox Polk"),
    ("Zachary Taylor", _W, "1849-03-04 1850-07-09", 1784, 1850, ""),
    ("Millard Fillmore", _W, "1850-07-09 1853-03-04", 1800, 1874, ""),
    ("Franklin Pierce", _D, "1853-03-04 1857-03-04", 1804, 1869, ""),
    ("James Buchanan", _D, "1857-03-04 1861-03-04", 1791, 1868, ""),
    ("Abraham Lincoln", _R, "1861-03-04 1865-04-15", 1809, 1865, ""),
    ("Andrew Johnson", _D, "1865-04-15 1869-03-04", 1808, 1875, ""),
    (
        *("Ulysses S. Grant", _R, "1869-03-04 1877-03-04", 1822, 1885),
        "Ulysses Grant; Ulysses Simpson Grant",
    ),
    (
        *("Rutherford B. Hayes", _R, "1877-03-04 1881-03-04", 1822, 1893),
        "Rutherford Hayes; Rutherford Birchard Hayes",
    ),
    (
        *("James A. Garfield", _R, "1881-03-04 1881-09-19", 1831, 1881),
        "James Garfield; James Abram Garfield",
    ),
    (
        *("Chester A. Arthur", _R, "1881-09-19 1885-03-04", 1829, 1886),
        "Chester Arthur; Chester Alan Arthur",
    ),
    (
        *("Grover Cleveland", _D, "1885-03-04 1889-03-04 1893-03-04 1897-03-04", 1837, 1908),
        "Stephen Grover Cleveland",
    ),
    ("Benjamin Harrison", _R, "1889-03-04 1893-03-04", 1833, 1901, ""),
    ("William McKinley", _R, "1897-03-04 1901-09-14", 1843, 1901, ""),
    ("Theodore Roosevelt", _R, "1901-09-14 1909-03-04", 1858, 1919, "Teddy Roosevelt"),
    (
        *("William Howard Taft", _R, "1909-03-04 1913-03-04", 1857, 1930),
        "William Taft; William H. Taft",
    ),
    ("Woodrow Wilson", _D, "1913-03-04 1921-03-04", 1856, 1924, "Thomas Woodrow Wilson"),
    (
        *("Warren G. Harding", _R, "1921-03-04 1923-08-02", 1865, 1923),
        "Warren Harding; Warren Gamaliel Harding",
    ),
    ("Calvin Coolidge", _R, "1923-08-02 1929-03-04", 1872, 1933, "John Calvin Coolidge"),
    ("Herbert Hoover", _R, "1929-03-04 1933-03-04", 1874, 1964, "Herbert C. Hoover"),
    (
        *("Franklin D. Roosevelt", _D, "1933-03-04 1945-04-12", 1882, 1945),
        "Franklin Roosevelt; Franklin Delano Roosevelt",
    ),
    ("Harry S. Truman", _D, "1945-04-12 1953-01-20", 1884, 1972, "Harry Truman"),
    (
        *("Dwight D. Eisenhower", _R, "1953-01-20 1961-01-20", 1890, 1969),
        "Dwight Eisenhower; Dwight David Eisenhower",
    ),
    (
        *("John F. Kennedy", _D, "1961-01-20 1963-11-22", 1917, 1963),
        "John Fitzgerald Kennedy",
    ),
    (
        *("Lyndon B. Johnson", _D, "1963-11-22 1969-01-20", 1908, 1973),
        "Lyndon Johnson; Lyndon Baines Johnson",
    ),
    (
        *("Richard Nixon", _R, "1969-01-20 1974-08-09", 1913, 1994),
        "Richard M. Nixon; Richard Milhous Nixon",
    ),
    (
        *("Gerald Ford", _R, "1974-08-09 1977-01-20", 1913, 2006),
        "Gerald R. Ford; Gerald Rudolph Ford",
    ),
    ("Jimmy Carter", _D, "1977-01-20 1981-01-20", 1924, 2024, "James E. Carter; James Earl Carter"),
    (
        *("Ronald Reagan", _R, "1981-01-20 1989-01-20", 1911, 2004),
        "Ronald W. Reagan; Ronald Wilson Reagan",
    ),
    (
        *("George H. W. Bush", _R, "1989-01-20 1993-01-20", 1924, 2018),
        "George Bush; George Herbert Walker Bush",
    ),
    (
        *("Bill Clinton", _D, "1993-01-20 2001-01-20", 1946, None),
        "William J. Clinton; William Jefferson Clinton; William Clinton",
    ),
    ("George W. Bush", _R, "2001-01-20 2009-01-20", 1946, None, "George Walker Bush"),
    ("Barack Obama", _D, "2009-01-20 2017-01-20", 1961, None, "Barack H. Obama"),
    (
        *("Donald Trump", _R, "2017-01-20 2021-01-20 2025-01-20", 1946, None),
        "Donald J. Trump; Donald John Trump",
    ),
    (
        *("Joe Biden", _D, "2021-01-20 2025-01-20", 1942, None),
        "Joseph R. Biden; Joseph Biden; Joseph Robinette Biden",
    ),
)


def _president(
    name: str, party: str, days: str, born: int, died: int | None, spellings: str
) -> President:
    bounds: list[str | None] = [*days.split()]
    bounds += [None] * (len(bounds) % 2)
    terms = tuple(_term(str(a), b) for a, b in zip(bounds[::2], bounds[1::2], strict=True))
    others = tuple(filter(None, spellings.split("; ")))
    return President(name, party, terms, born, died, others)


PRESIDENTS: tuple[President, ...] = tuple(_president(*row) for row in _TABLE)
"""All presidents, in the order in which they first took office."""


def presidents() -> tuple[tuple[Term, President], ...]:
    """All stays in office in order of time, each with its president; 47 until 2025."""
    stays = [(term, one) for one in PRESIDENTS for term in one.terms]
    return tuple(sorted(stays, key=lambda stay: stay[0].start))


@lru_cache(maxsize=1)
def presidencies() -> tuple[tuple[date, str], ...]:
    """The first day and the label of each stay in office, such as "John Tyler, 1841–1845".

    The first entry stands for the days before the first president.
    """
    named = [(date.min, BEFORE)]
    for stay, one in presidents():
        end = "" if stay.end is None else stay.end.year
        span = f"{stay.start.year}" if end == stay.start.year else f"{stay.start.year}–{end}"
        named.append((stay.start, f"{one.name}, {span}"))
    return tuple(named)


def president_on(day: date) -> President | None:
    """The president in office at the end of a day; None before 30 April 1789.

    On the day of an inauguration this is the new president.

    Args:
        day: Any day.
    """
    return next((one for one in PRESIDENTS for term in one.terms if day in term), None)


def president_named(name: str, day: date, executive: bool = False) -> President | None:
    """Return the president to whom a name refers in a document of a given day.

    A name that fits the president in office on that day refers to that president ("George Bush" in
    2003 is George W. Bush, "John Adams" in 1826 John Quincy Adams); otherwise it refers to the
    president who is known by this spelling and was alive.

    Args:
        name: The name as spelled by a source, also with the family name first.
        day: The day of the document.
        executive: Whether the document comes from the executive, so that its speaker is likely
            the president in office.

    Returns:
        The president, or None if the name belongs to none.
    """
    spelled = fold_name(name)
    incumbent = president_on(day)
    if executive and incumbent and _fits(spelled, incumbent):
        return incumbent
    known = _by_spelling().get(spelled)
    return known if known and known.lived(day) else None


def speaker_spellings(name: str) -> tuple[str, ...]:
    """Return the names that refer to the same speaker on any day.

    Args:
        name: The name as spelled in a source or a query.
    """
    one = _by_spelling().get(fold_name(name))
    return (name, given_first(name), *(one.names if one else ()))


def fold_name(name: str) -> str:
    """Normalise a name: family name last; no diacritics, full stops, case or "Jr.".

    Args:
        name: "Sessions, Jeff", "BIDEN, Joseph R., Jr.", "Joseph R., Jr. Biden".
    """
    plain = unicodedata.normalize("NFKD", given_first(name))
    letters = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    words = re.sub(r"[.,]", " ", letters.replace("’", "'")).split()
    return " ".join(word for word in words if word not in _SUFFIXES)


def given_first(name: str) -> str:
    """Return a name with the given name first: "Jeff Sessions" for "Sessions, Jeff".

    Args:
        name: The name; one without a comma, or with a comma only before "Jr." and the like, is
            returned as it is.
    """
    family, *rest = [part.strip() for part in name.split(",")]
    if not rest or _is_suffix(rest[0]) or (" " in rest[-1] and _is_suffix(rest[-1].split()[0])):
        return name.strip()
    suffixes = [part for part in rest[1:] if part]
    return ", ".join([f"{rest[0]} {family}".strip(), *suffixes])


def _is_suffix(text: str) -> bool:
    return text.strip(" .").casefold() in _SUFFIXES


def _fits(spelled: str, one: President) -> bool:
    """Whether a folded name can be a president's: a spelling, or its first and last word."""
    for known in map(fold_name, one.names):
        words, own = spelled.split(), known.split()
        if spelled == known or (len(words) == 2 and words == [own[0], own[-1]]):
            return True
    return False


@lru_cache(maxsize=1)
def _by_spelling() -> dict[str, President]:
    return {fold_name(name): one for one in PRESIDENTS for name in one.names}
