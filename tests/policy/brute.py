"""The engine that needs no index: it looks at every term of every document."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from engram.policy import analyzer
from engram.policy.analyzer import Word
from engram.policy.document import Document, searched
from engram.policy.presidents import president_on
from engram.policy.query import Node, parse, universe
from engram.policy.query.functional import Match, evaluate, forms
from engram.policy.query.tree import written


def fields(document: Document) -> dict[str, Any]:
    names = ("date", "congress", "chamber", "party", "speaker", "state")
    return {name: getattr(document, name) for name in names} | {"type": document.doc_type}


def label(document: Document, by: str | None) -> Any:
    day = document.date.isoformat()
    match by:
        case None:
            found: Any = None
        case "year" | "month":
            found = document.date.year if by == "year" else day[:7]
        case "decade":
            found = int(day[:3]) * 10
        case "president":
            found = president(document.date)
        case _:
            found = fields(document)[by]
    return found


def president(day: date) -> str:
    one = president_on(day)
    if one is None:
        return "before 30 April 1789"
    (stay,) = (stay for stay in one.terms if day in stay)
    years = dict.fromkeys((stay.start.year, stay.end.year if stay.end else ""))
    return f"{one.name}, {'–'.join(map(str, years))}"


class BruteForce:
    """Answers in plain Python, by the definition."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.documents = list(documents)
        self.words = [analyzer.words(searched(document)) for document in self.documents]
        self.known: dict[Node, list[Match]] = {}

    def matches(self, query: str | Node) -> Iterator[tuple[Document, list[Word], Match]]:
        node = parse(query)
        if node not in self.known:
            pairs = zip(self.documents, self.words, strict=True)
            self.known[node] = [evaluate(node, words, fields(x)) for x, words in pairs]
        yield from zip(self.documents, self.words, self.known[node], strict=True)

    def counts(self, query: str | Node) -> tuple[int, int]:
        """Documents and occurrences."""
        found = [match for _, _, match in self.matches(query) if match.matched]
        return len(found), sum(len(match.occurrences) for match in found)

    def tally(self, query: str | Node, by: str | None = "year") -> dict[Any, list[float]]:
        """Documents, occurrences, all documents, all tokens and dispersion, by group."""
        node = parse(query)
        filters = universe(node)
        rows: dict[Any, list[float]] = defaultdict(lambda: [0, 0, 0, 0, 0.0])
        if by is None:
            rows[None] = [0, 0, 0, 0, 0.0]
        for document, words, match in self.matches(node):
            if evaluate(filters, [], fields(document)).matched:
                k, n = len(match.occurrences), len(words)
                row = rows[label(document, by)]
                for i, value in enumerate((match.matched, k, 1, n, k * k / n if n else 0.0)):
                    row[i] += value
        return dict(rows)

    def in_order(self, labels: Iterable[Any], by: str | None) -> list[Any]:
        """Presidencies by their first document, other labels ascending, None last."""
        if by == "president":
            first = {
                label(document, by): document.date
                for document in sorted(self.documents, key=lambda one: one.date, reverse=True)
            }
            return sorted(labels, key=first.__getitem__)
        return sorted(labels, key=lambda x: (x is None, x or 0))

    def search(self, query: str | Node) -> list[tuple[str, int]]:
        """Ids and occurrences of all matching documents, in the order of a search."""
        found = [(d, len(m.occurrences)) for d, _, m in self.matches(query) if m.matched]
        found.sort(key=lambda row: (-row[1], row[0].date, row[0].id))
        return [(document.id, count) for document, count in found]

    def context(self, query: str | Node) -> list[tuple[str, int, int]]:
        """Id, start and end in characters of every occurrence, in the order of a context."""
        rows = []
        for document, _, match in self.matches(query):
            places = analyzer.spans(searched(document))
            for first, behind in match.occurrences:
                place = (places[first][0], places[behind - 1][1])
                rows.append((document.date, document.id, *place))
        return [row[1:] for row in sorted(rows)]

    def forms(self, query: str | Node) -> dict[str, dict[str, int]]:
        """By word of the query, the forms in its occurrences and how often each is there."""
        totals: dict[str, Counter[str]] = {}
        for document, words in zip(self.documents, self.words, strict=True):
            for leaf, counts in forms(parse(query), words, fields(document)).items():
                totals.setdefault(written(leaf), Counter()).update(counts)
        return {word: dict(counts) for word, counts in totals.items()}
