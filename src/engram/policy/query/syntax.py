"""Parser of the query language, from text to tree.

    tax taxes               words in any inflection; adjacent words are joined by AND
    =taxes ="tax cuts"      exact words, except for case
    "tax cut" "=tax cut"    a phrase; a phrase of exact words
    tax*                    all words with this beginning
    {raise, new, put up}    alternatives: words, prefixes or phrases
    "{cut, reduce} tax*"    the same inside a phrase
    raise NEAR/3 tax        at most 3 words apart, in either order
    raise BEFORE/3 tax      at most 3 words apart, in this order
    AND OR NOT ( )          in capitals; NEAR and BEFORE bind closest, then NOT, AND, OR
    date:1900..1950         also 1913, 1913-04, 1913-04-01, 1900.., ..1950
    congress:100..105       ranges include their ends
    type:message            also type:{bill, vote}; so chamber:, party:, state:, speaker:"J. Adams"

Words and quoted text are analysed like the documents, so that `taxes` finds "tax" and "Tax's".
Text that looks like an operator or the syntax of another search engine is refused (`doubts`).
"""

import re
from collections.abc import Callable, Iterator

from engram.policy import analyzer
from engram.policy.query import doubts
from engram.policy.query.filters import KNOWN, read_name, read_range
from engram.policy.query.query import AnyQuery, Query, QueryError
from engram.policy.query.tree import (
    CHOICES,
    RANGES,
    And,
    Exact,
    Near,
    Node,
    Not,
    OneOf,
    Or,
    Phrase,
    Prefix,
    Term,
    is_wording,
)

LONGEST = 20_000
"""Maximum length of a query in characters."""

DEEPEST = 50
"""Maximum depth of nested parentheses."""

FARTHEST = 100
"""Maximum distance of NEAR and BEFORE, in words."""

_BARE = re.compile(r'[^\s(){}"“”„«»＂]+')
_IN_GROUP = re.compile(r'[^{}"“”„«»＂,]+')
_QUOTES = {'"': '"', "“": "”", "„": "“", "”": "”", "«": "»", "＂": "＂"}
_FIELD = re.compile(r"([^\W\d]\w*):")
_DISTANCE = re.compile(r"(NEAR|BEFORE)(?:/(\d*))?$")


def read(query: AnyQuery) -> Query:
    """Parse a query.

    Args:
        query: Text in the query language or a tree; a parsed query is returned unchanged.

    Raises:
        QueryError: If it does not parse; the message says where, why, and what to write instead.
    """
    if isinstance(query, Query):
        return query
    if not isinstance(query, str):
        return Query("", query)
    parser = _Parser(query)
    return Query(query, parser.parse(), tuple(dict.fromkeys(parser.notes)))


def parse(query: AnyQuery) -> Node:
    """Return the tree of a query; see `read`.

    Args:
        query: Text in the query language, a tree, or a parsed query.
    """
    return read(query).tree


class _Parser:
    """Recursive-descent parser over the characters of a query; `at` is never at a space."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.exact = False  # whether words are exact
        self.notes: list[str] = []

    def parse(self) -> Node:
        if len(self.text) > LONGEST:
            problem = f"it has {len(self.text)} characters, more than {LONGEST}; divide it"
            raise QueryError(LONGEST, problem)
        self._move(0)
        if self._ended:
            raise QueryError(0, "it is empty; write a word, a phrase or a filter")
        node = self._any()
        if not self._ended:
            raise QueryError(
                self.at, f"{self._here!r} closes nothing; remove it, or add its opening"
            )
        return node

    def _any(self) -> Node:
        parts = [self._all()]
        while self._take("OR"):
            parts.append(self._all())
        return _joint(Or, parts)

    def _all(self) -> Node:
        parts: list[Node] = []
        bare: list[str] = []  # words side by side
        joined = more = True
        while more:
            before = joined
            start = self.at
            parts.append(self._not())
            written = self.text[start : self.at].strip()
            word = _BARE.fullmatch(written) and not _FIELD.match(written)
            if not word:
                self._note_words(bare)
            elif isinstance(parts[-1], (Term, Exact, Prefix)):
                bare.append(written)
            joined = self._take("AND")
            more = joined or not (self._ended or self._here in ")}" or self._word == "OR")
            beside = not before or (more and not joined)
            if word and beside and doubts.OPERATORS.match(written):
                raise QueryError(start, doubts.of_small_operator(written))
            if joined or not more:
                self._note_words(bare)
        return _joint(And, parts)

    def _note_words(self, bare: list[str]) -> None:
        """Note how adjacent words are interpreted, and forget them."""
        if len(set(bare)) > 1:
            self.notes.append(doubts.note_of_words(bare))
        bare.clear()

    def _not(self) -> Node:
        return Not(self._inner(self._not)) if self._take("NOT") else self._near()

    def _near(self) -> Node:
        start = self.at
        left = self._one()
        while found := _DISTANCE.match(self._word):
            within = self._distance(found)
            begin = self.at
            right = self._one()
            for position, node in ((start, left), (begin, right)):
                if not is_wording(node):
                    raise QueryError(
                        position,
                        f"{found[1]} takes words, phrases and alternatives, "
                        "not AND, NOT or filters; put those outside",
                    )
            left = Near(left, right, within, ordered=found[1] == "BEFORE")
        return left

    def _distance(self, found: re.Match[str]) -> int:
        digits = found[2] or ""
        if len(digits) > 4 or not digits.isdecimal() or not 1 <= int(digits) <= FARTHEST:
            raise QueryError(
                self.at,
                f"{found[0]} needs a distance from 1 to {FARTHEST}; write {found[1]}/3",
            )
        self._move(len(found[0]))
        return int(digits)

    def _one(self) -> Node:
        if self._ended:
            raise QueryError(self.at, "it ends where a word, phrase or filter is expected; add one")
        if self._here == "(":
            return self._inner(self._parenthesis)
        if self._here == "{":
            return self._inner(self._group)
        if self._here in _QUOTES:
            return self._phrase()
        if self._here == "=":
            return self._as_it_stands(_BARE)
        word = self._word
        if not word:
            raise QueryError(self.at, f"a word is expected before {self._here!r}; add one")
        if word in ("AND", "OR", "NOT") or _DISTANCE.match(word):
            problem = f"{word} lacks an operand; to search for the word, write it in lower case"
            raise QueryError(self.at, problem)
        field = _FIELD.match(word)
        if not field and (problem := doubts.of_word(word)):
            raise QueryError(self.at, problem)
        return self._filter(field[1]) if field else self._words(self._run(_BARE))

    def _as_it_stands(self, pattern: re.Pattern[str]) -> Node:
        """Parse what follows an equals sign: a word, a phrase, or alternatives."""
        self.at += 1
        here = self.text[self.at : self.at + 1]
        if not here or here.isspace() or here in "(=":
            problem = "put = directly before a word, a phrase or braces, as in =taxes"
            raise QueryError(self.at - 1, problem)
        before, self.exact = self.exact, True
        if here == "{":
            node = self._inner(self._group)
        elif here in _QUOTES:
            node = self._phrase()
        else:
            start = self._run(pattern)
            node = self._words(start)
            if isinstance(node, Prefix):
                raise QueryError(start, "a * matches exact words anyway; remove the =")
        self.exact = before
        return node

    def _inner(self, rule: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise QueryError(self.at, f"it is nested more than {DEEPEST} levels deep; simplify it")
        node = rule()
        self.depth -= 1
        return node

    def _parenthesis(self) -> Node:
        opened = self.at
        self._move(1)
        node = self._any()
        self._close(")", opened)
        return node

    def _group(self) -> Node:
        """Parse alternatives in braces, each of which is adjacent words or a quoted phrase."""
        opened = self.at
        parts: list[Node] = []
        while not parts or (not self._ended and self._here == ","):
            self._move(1)
            parts.append(self._alternative())
        self._close("}", opened)
        return _joint(Or, parts)

    def _alternative(self) -> Node:
        if not self._ended and self._here in _QUOTES:
            return self._phrase()
        if not self._ended and self._here == "=":
            return self._as_it_stands(_IN_GROUP)
        start = self._run(_IN_GROUP)
        text = self.text[start : self.at]
        if found := doubts.of_alternative(text):
            raise QueryError(start + found[0], found[1])
        if note := doubts.note_of_alternative(text):
            self.notes.append(note)
        return self._words(start)

    def _phrase(self) -> Node:
        """Parse a quoted phrase: text, prefixes and groups in sequence."""
        opened, closing = self.at, _QUOTES[self._here]
        inside = re.compile(f"[^{{}}{closing}]+")
        parts: list[Node] = []
        self.at += 1
        while not self._ended and self._here != closing:
            if self._here == "{":
                parts.append(self._inner(self._group))
            elif found := inside.match(self.text, self.at):
                parts += self._analysed(found[0], self.at)
                self.at = found.end()
            else:
                raise QueryError(self.at, f"{self._here!r} closes nothing; remove it")
        if note := doubts.note_of_phrase(self.text[opened + 1 : self.at]):
            self.notes.append(note)
        self._close(closing, opened)
        return self._joined(parts, opened)

    def _words(self, start: int) -> Node:
        """The sequence of words from `start` to the current position."""
        return self._joined(self._analysed(self.text[start : self.at], start), start)

    def _joined(self, parts: list[Node], start: int) -> Node:
        if not parts:
            raise QueryError(start, "there is no word; write one with letters or digits")
        return parts[0] if len(parts) == 1 else Phrase(tuple(parts))

    def _analysed(self, text: str, start: int) -> list[Node]:
        """The words of a text, and the prefixes, which end in an asterisk."""
        nodes: list[Node] = []
        *before, last = text.split("*")
        for piece in before:
            spans = analyzer.spans(piece)
            end = start + len(piece)
            if not spans or spans[-1][1] != len(piece):
                raise QueryError(end, "put * directly after the beginning of a word, as in tax*")
            if end + 1 < len(self.text) and analyzer.spans(self.text[end + 1]):
                raise QueryError(end, "a * can only end a word; put a space after it")
            *words, (_, beginning) = self._read(piece, start)
            if isinstance(beginning, Exact) and not self.exact:
                raise QueryError(end, "a * matches exact words anyway; remove the =")
            nodes += [node for _, node in words]
            nodes.append(Prefix(analyzer.words(piece)[-1].folded))
            start = end + 1
        return nodes + [node for _, node in self._read(last, start)]

    def _read(self, text: str, start: int) -> list[tuple[int, Node]]:
        """The words of a text without asterisks, with their positions in the query."""
        found: list[tuple[int, Node]] = []
        for word, (a, b) in zip(analyzer.words(text), analyzer.spans(text), strict=True):
            run = text[:a].rsplit(maxsplit=1)[-1] if text[:a] and not text[a - 1].isspace() else ""
            if self.exact or run.lstrip("([{'‘,;").startswith("="):
                found.append((start + a, Exact(word.form)))
            else:
                shown = " ".join(text[a:b].split())
                found.append((start + a, Term(word.stem, shown)))
        return found

    def _filter(self, name: str) -> Node:
        field = name.lower()
        if field not in (*CHOICES, *RANGES):
            problem = f"there is no field {name!r}; fields are {', '.join((*RANGES, *CHOICES))}"
            raise QueryError(self.at, f"{problem}; to search for these words, quote them")
        self._move(len(name) + 1)
        start = self.at
        if field in RANGES:
            self._run(_BARE)
            text = self.text[start : self.at].strip()
            if meant := doubts.of_rest(field, text, self.text[self.at :]):
                raise QueryError(start, f"a range has two dots and no spaces; write {meant}")
            return read_range(field, text, start)
        quoted = not self._ended and (self._here in _QUOTES or self._here == "{")
        names = tuple(dict.fromkeys(self._names(field)))
        if not quoted and field not in KNOWN and self._word[:1].isupper():
            name = self.text[start : self.at].strip()
            if self._word not in ("AND", "OR", "NOT") and not _FIELD.match(self._word):
                self.notes.append(doubts.note_of_name(field, name, self._word))
        return OneOf(field, names)

    def _names(self, field: str) -> Iterator[str]:
        """One name, or several in braces."""
        opened = self.at
        several = not self._ended and self._here == "{"
        more = True
        while more:
            if several:
                self._move(1)
            start = self.at
            if not self._ended and self._here in _QUOTES:
                end = self.text.find(_QUOTES[self._here], start + 1)
                if end < 0:
                    raise QueryError(start, "this quotation mark is not closed; close it")
                name = self.text[start + 1 : end]
                self._move(end + 1 - start)
            else:
                self._run(_IN_GROUP if several else _BARE)
                name = self.text[start : self.at]
            yield read_name(field, name, start)
            more = several and not self._ended and self._here == ","
        if several:
            self._close("}", opened)

    @property
    def _ended(self) -> bool:
        return self.at >= len(self.text)

    @property
    def _here(self) -> str:
        return self.text[self.at]

    @property
    def _word(self) -> str:
        """The bare word that starts at the current position; empty if there is none."""
        found = _BARE.match(self.text, self.at)
        return found[0] if found else ""

    def _take(self, operator: str) -> bool:
        if self._word != operator:
            return False
        self._move(len(operator))
        return True

    def _run(self, pattern: re.Pattern[str]) -> int:
        """Move past the match of the pattern, and return where it started."""
        start = self.at
        found = pattern.match(self.text, start)
        self._move(found.end() - start if found else 0)
        return start

    def _move(self, characters: int) -> None:
        self.at += characters
        while not self._ended and self._here.isspace():
            self.at += 1

    def _close(self, closing: str, opened: int) -> None:
        if self._ended:
            raise QueryError(opened, f"{self.text[opened]!r} is not closed; add {closing!r}")
        if self._here != closing:
            raise QueryError(self.at, f"{closing!r} is expected before {self._here!r}; add it")
        self._move(1)


def _joint(kind: type[And] | type[Or], parts: list[Node]) -> Node:
    distinct = tuple(dict.fromkeys(parts))
    return distinct[0] if len(distinct) == 1 else kind(distinct)
