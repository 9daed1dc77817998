"""The engine that needs no index: it looks at every term of every document."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from engram.policy import analyzer
from engram.policy.analyzer import Word
from engram.policy.document import Document, searched
from engram.policy.query import Node, parse, universe
from engram.policy.query.functional import Match, evaluate, forms
from engram.policy.query.tree import written


def fields(document: Document) -> dict[str, Any]:
    names = ("date", "congress", "chamber", "party", "speaker", "state")
    return {name: getattr(document, name) for name in names} | {"type": document.doc_type}


def label(document: Document, by: str | None) -> Any:
    if by is None:
        return None
    if by == "year":
        return document.date.year
    if by == "month":
        return document.date.isoformat()[:7]
    return fields(document)[by]


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
