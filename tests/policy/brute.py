"""The engine that needs no index: it looks at every term of every document."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from engram.policy import analyzer
from engram.policy.document import Document
from engram.policy.engine import searched
from engram.policy.query import Node, parse, universe
from engram.policy.query.functional import Match, evaluate


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
        self.terms = [analyzer.terms(searched(document)) for document in self.documents]
        self.known: dict[Node, list[Match]] = {}

    def matches(self, query: str | Node) -> Iterator[tuple[Document, list[str], Match]]:
        node = parse(query)
        if node not in self.known:
            pairs = zip(self.documents, self.terms, strict=True)
            self.known[node] = [evaluate(node, terms, fields(x)) for x, terms in pairs]
        yield from zip(self.documents, self.terms, self.known[node], strict=True)

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
        for document, terms, match in self.matches(node):
            if evaluate(filters, [], fields(document)).matched:
                k, n = len(match.occurrences), len(terms)
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
            words = analyzer.spans(searched(document))
            for first, behind in match.occurrences:
                place = (words[first][0], words[behind - 1][1])
                rows.append((document.date, document.id, *place))
        return [row[1:] for row in sorted(rows)]
