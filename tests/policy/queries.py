"""Documents and queries at random, of every kind: the engines must agree on them.

A query comes as its text and its tree, each written down by itself, so that they test the parser
before the engines.
"""

import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from engram.policy import analyzer
from engram.policy.document import CHAMBERS, DOC_TYPES, Document, congress_of
from engram.policy.query import (
    And,
    Between,
    Exact,
    Near,
    Node,
    Not,
    OneOf,
    Or,
    Phrase,
    Prefix,
    Term,
)

WORDS = [
    word
    for line in (
        "the of and to in a that tax taxes taxation taxed raise raises raised increase",
        "increases cut cuts cutting reduce reduced reduction new higher lower duty duties",
        "tariff tariffs excise revenue nation nation's nation’s nations people people's",
        "President Congress Senate U.S. 2,000 3.5 1913 relief repeal bill law laws general",
        "generally generous don't naïve café Señor communism community communicate state states",
        "united union labor WAR war peace import imports imported important news industry",
        "industries industrial don’t Pen\u0303a Pena Peña un\u00adion taxpayer's",
    )
    for word in line.split()
]
"""Words of the record, commonest first, many of which share a stem or a beginning."""

BETWEEN = (" ", " ", " ", " ", " ", ", ", ". ", "\n", " — ", "—", " (", ") ", '"', "; ", "-", " * ")
"""What stands between words."""

PARTIES = ("Democrat", "Republican", "Whig", None)
SPEAKERS = ("Mr. O'Neil", "Ms. de la Cruz", 'John "Jack" Smith', "MR.  SMITH", None)
STATES = ("NY", "TX", None)


class Query(NamedTuple):
    """A query as a user writes it, and the tree that it must become."""

    text: str
    tree: Node


def documents(seed: int, count: int) -> list[Document]:
    """Documents of random words and fields; some are long, some empty but for a title."""
    rng = random.Random(seed)
    weights = [1 / (rank + 1) ** 0.7 for rank in range(len(WORDS))]
    made = []
    for number in range(count):
        length = rng.choice((0, 1, 5, 30, 30, 100, 300)) if number else 2_500
        words = rng.choices(WORDS, weights, k=length)
        text = "".join(word + rng.choice(BETWEEN) for word in words)
        made.append(
            Document(
                id=f"made:{rng.randrange(10**6):06}-{number}",
                doc_type=rng.choice(DOC_TYPES),
                date=date(1789, 3, 4) + timedelta(days=rng.randrange(85_000)),
                title=" ".join(rng.choices(WORDS, k=3)),
                text=text,
                chamber=rng.choice((*CHAMBERS, None)),
                speaker=rng.choice(SPEAKERS),
                party=rng.choice(PARTIES),
                state=rng.choice(STATES),
                url=rng.choice((None, f"https://example.org/{number}")),
            )
        )
    return made


def queries(seed: int, count: int, words: Sequence[str] = WORDS) -> list[Query]:
    """Queries of all kinds of nodes.

    Args:
        seed: Of the generator.
        count: How many.
        words: The words that they are made of, the first ones more often.
    """
    rng = random.Random(seed)
    usable = [word for word in words if len(analyzer.terms(word)) == 1 and word.isalpha()]
    made = [_any(rng, usable, depth=0) for _ in range(count)]
    return [Query(text, tree) for text, tree in made]


Made = tuple[str, Node]


def _word(rng: random.Random, words: Sequence[str]) -> Made:
    word = words[min(int(rng.expovariate(5 / len(words))), len(words) - 1)]
    return word, Term(analyzer.terms(word)[0])


def _prefix(rng: random.Random, words: Sequence[str]) -> Made:
    beginning = rng.choice(words)[: rng.randint(2, 5)]
    return f"{beginning}*", Prefix(analyzer.fold(analyzer.lower(beginning)))


def _exact(rng: random.Random, words: Sequence[str]) -> Made:
    word = _word(rng, words)[0]
    return f"={word}", Exact(analyzer.words(word)[0].form)


def _phrase(rng: random.Random, words: Sequence[str]) -> Made:
    parts = [_in_phrase(rng, words) for _ in range(rng.randint(2, 3))]
    quotes = rng.choice(('"{}"', "“{}”"))
    return quotes.format(" ".join(text for text, _ in parts)), Phrase(tuple(x for _, x in parts))


def _in_phrase(rng: random.Random, words: Sequence[str]) -> Made:
    return rng.choice((_word, _word, _word, _exact, _prefix, _group))(rng, words)


def _group(rng: random.Random, words: Sequence[str]) -> Made:
    parts = [_alternative(rng, words) for _ in range(rng.randint(1, 4))]
    text = rng.choice((", ", ",")).join(text for text, _ in parts)
    return "{" + text + "}", _distinct(Or, parts)


def _alternative(rng: random.Random, words: Sequence[str]) -> Made:
    if rng.random() < 0.7:
        return rng.choice((_word, _word, _exact, _prefix))(rng, words)
    parts = [_word(rng, words) for _ in range(2)]
    return " ".join(text for text, _ in parts), Phrase(tuple(tree for _, tree in parts))


def _near(rng: random.Random, words: Sequence[str], depth: int = 0) -> Made:
    (left, a), (right, b) = (_operand(rng, words, depth) for _ in range(2))
    within, operator = rng.choice((1, 2, 3, 5, 20)), rng.choice(("NEAR", "BEFORE"))
    tree = Near(a, b, within, ordered=operator == "BEFORE")
    return f"({left} {operator}/{within} {right})", tree


def _operand(rng: random.Random, words: Sequence[str], depth: int) -> Made:
    if depth < 2 and rng.random() < 0.2:
        return _near(rng, words, depth + 1)
    return rng.choice((_word, _exact, _prefix, _group, _group, _phrase))(rng, words)


def _date(rng: random.Random) -> Made:
    first, last = sorted(rng.sample(range(1780, 2030), 2))
    ends = {
        f"{first}..{last}": (date(first, 1, 1), date(last, 12, 31)),
        f"{first}..": (date(first, 1, 1), None),
        f"..{last}-06": (None, date(last, 6, 30)),
        f"{first}-02-03..{last}-04-05": (date(first, 2, 3), date(last, 4, 5)),
        f"{first}": (date(first, 1, 1), date(first, 12, 31)),
    }
    text = rng.choice(list(ends))
    return f"date:{text}", Between("date", *ends[text])


def _congress(rng: random.Random) -> Made:
    first, last = sorted(congress_of(date(rng.randint(1790, 2020), 6, 1)) for _ in range(2))
    ends = {
        f"{first}..{last}": (first, last),
        f"..{last}": (None, last),
        f"{first}": (first, first),
    }
    text = rng.choice(list(ends))
    return f"congress:{text}", Between("congress", *ends[text])


def _name(rng: random.Random) -> Made:
    field, names = rng.choice(
        (
            ("type", DOC_TYPES),
            ("chamber", CHAMBERS),
            ("party", PARTIES[:-1]),
            ("speaker", SPEAKERS[:-1]),
            ("state", STATES[:-1]),
        )
    )
    chosen = rng.sample(names, rng.randint(1, 2))
    keys = tuple(" ".join(name.casefold().split()) for name in chosen)
    quoted = [f"“{name}”" if '"' in name else f'"{name}"' for name in chosen]
    text = quoted[0] if len(quoted) == 1 else "{" + ", ".join(quoted) + "}"
    return f"{field}:{text}", OneOf(field, keys)


def _filter(rng: random.Random) -> Made:
    return rng.choice((_date, _congress, _name, _name))(rng)


def _any(rng: random.Random, words: Sequence[str], depth: int) -> Made:
    wordings: list[Callable[..., Made]] = [_word, _exact, _prefix, _phrase, _group, _near, _near]
    if depth > 2 or rng.random() < 0.4:
        return rng.choice(wordings)(rng, words)
    kind = rng.choice(("and", "filtered", "filtered", "or", "not", "filter"))
    if kind == "filter":
        return _filter(rng)
    inner = _any(rng, words, depth + 1)
    if kind == "filtered":
        parts = [inner, _filter(rng)]
    elif kind == "not":
        text, tree = _any(rng, words, depth + 1)
        parts = [inner, (f"NOT ({text})", Not(tree))]
    else:
        parts = [inner, *(_any(rng, words, depth + 1) for _ in range(rng.randint(1, 2)))]
    joint, join = (" OR ", Or) if kind == "or" else (rng.choice((" AND ", " ")), And)
    return "(" + joint.join(f"({x})" for x, _ in parts) + ")", _distinct(join, parts)


def _distinct(join: type[And] | type[Or], parts: Sequence[Made]) -> Node:
    """Saying a thing twice says no more."""
    trees = tuple(dict.fromkeys(tree for _, tree in parts))
    return trees[0] if len(trees) == 1 else join(trees)
