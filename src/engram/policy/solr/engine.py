"""SolrEngine: queries answered by Solr, with the same counts as every other engine.

Solr alone counts what `translate` can express exactly: the documents, occurrences, denominators
and dispersion of a query are then one request, however many groups there are. Otherwise, mostly
for proximity, Solr finds the documents that contain the words, their texts are fetched page by
page, and the shared matcher counts. Both ways give equal counts; only the time differs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from engram.errors import EngramError
from engram.index import Hits
from engram.policy import analyzer
from engram.policy.analyzer import Word
from engram.policy.document import Document, searched
from engram.policy.engine import Context, Passage, WordForms, ranked_forms
from engram.policy.query import Node, Prefix, parse
from engram.policy.query.functional import finds
from engram.policy.query.tree import Leaf, Term, leaves
from engram.policy.query.values import resolve
from engram.policy.solr.client import Solr, SolrError
from engram.policy.solr.matcher import verify
from engram.policy.solr.schema import STORED, TERMS, WORDS, decode, exact
from engram.policy.solr.translate import Literal, Translation
from engram.policy.tally import DocumentCounts, Label, Tally, check_grouping, ordered

PAGE = 5000
"""Documents per request when only counts are fetched."""

TEXTS = 50
"""Documents per request when texts are fetched as well."""

_FORMS = 300
"""Maximum number of forms counted by one request."""

_BY_ID = "id asc"
_BY_DATE = "date asc,id asc"


class _Counted(NamedTuple):
    """A document that matches."""

    id: str
    date: str
    label: Label
    occurrences: int
    tokens: int


class SolrEngine:
    """Answers queries over the documents of a Solr collection: an `Engine`.

    Args:
        solr: The collection, filled by `push`.
    """

    def __init__(self, solr: Solr) -> None:
        self._solr = solr
        self.notes: tuple[str, ...] = ()
        self._names: dict[str, list[str]] = {}

    def tally(self, query: str | Node, by: str | None = "year") -> Tally:
        """Count documents and occurrences, with their denominators; see `Engine.tally`.

        Args:
            query: The query.
            by: One of `GROUPINGS`; None for one group of all.
        """
        check_grouping(by)
        node = self._resolved(query)
        asked = self._translate(node)
        buckets = self._buckets(asked, by)
        groups = ordered(set(buckets))
        everything = [(buckets[g]["count"], round(buckets[g].get("tokens", 0))) for g in groups]
        if asked.exact:
            matching = [_matching(buckets[label]) for label in groups]
        else:
            matching = _summed(self._matched(asked, node, by, _BY_ID), groups)
        documents, occurrences, dispersion = zip(*matching, strict=True) if groups else ((),) * 3
        totals = np.array(everything, dtype=np.int64).reshape(-1, 2)
        return Tally(
            by,
            groups,
            documents=np.array(documents, dtype=np.int64),
            occurrences=np.array(occurrences, dtype=np.int64),
            all_documents=totals[:, 0],
            all_tokens=totals[:, 1],
            dispersion=np.array(dispersion, dtype=np.float64),
        )

    def per_document(self, query: str | Node, by: str | None = "year") -> DocumentCounts:
        """Count occurrences in every admitted document; see `Engine.per_document`.

        Args:
            query: The query.
            by: One of `GROUPINGS`; None for one group of all.
        """
        check_grouping(by)
        node = self._resolved(query)
        asked = self._translate(node)
        found = {hit.id: hit.occurrences for hit in self._matched(asked, node, by, _BY_ID)}
        fields = ["id", "n_tokens", *_group_fields(by)]
        entries = [
            (_label(entry, by), entry["id"] in found, found.get(entry["id"], 0), entry["n_tokens"])
            for entry in self._stream(asked, asked.universe, fields, _BY_ID, PAGE)
        ]
        groups = ordered({entry[0] for entry in entries}) if by else (None,)
        place = {label: i for i, label in enumerate(groups)}
        return DocumentCounts(
            by,
            groups,
            group=np.array([place[entry[0]] for entry in entries], dtype=np.int64),
            matched=np.array([entry[1] for entry in entries], dtype=np.bool_),
            occurrences=np.array([entry[2] for entry in entries], dtype=np.int64),
            tokens=np.array([entry[3] for entry in entries], dtype=np.int64),
        )

    def search(self, query: str | Node, limit: int = 10, offset: int = 0) -> Hits:
        """Find documents: most occurrences first, then by date, then by id; see `Engine.search`.

        Args:
            query: The query.
            limit: Maximum number of hits.
            offset: Number of better hits to skip.
        """
        _check_page(limit, offset)
        node = self._resolved(query)
        asked = self._translate(node)
        if not asked.exact:
            found = sorted(
                (-hit.occurrences, hit.date, hit.id)
                for hit in self._matched(asked, node, None, _BY_ID)
            )
            page = found[offset : offset + limit]
            return Hits([hit[2] for hit in page], [-hit[0] for hit in page], len(found))
        fields = ["id", *_occurrence_fields(asked)]
        first = f"{asked.occurrences} desc," if asked.occurrences else ""
        body = self._body(asked, asked.documents, fields, first + _BY_DATE)
        answer = self._solr.query({**body, "limit": limit, "offset": offset})["response"]
        ids = [entry["id"] for entry in answer["docs"]]
        scores = [round(entry.get("k", 0)) for entry in answer["docs"]]
        return Hits(ids, scores, answer["numFound"])

    def context(
        self, query: str | Node, limit: int = 20, offset: int = 0, width: int = 80
    ) -> Context:
        """Show occurrences as they stand in the text; see `Engine.context`.

        Args:
            query: The query.
            limit: Maximum number of passages.
            offset: Number of earlier passages to skip.
            width: Characters of text to the left and to the right.
        """
        _check_page(limit, offset)
        node = self._resolved(query)
        asked = self._translate(node)
        total = int(self.tally(node, None).occurrences.sum()) if asked.exact else None
        page: list[tuple[str, slice]] = []
        seen, end = 0, offset + limit
        for hit in self._matched(asked, node, None, _BY_DATE):
            if seen < end and seen + hit.occurrences > offset:
                page.append((hit.id, slice(max(0, offset - seen), end - seen)))
            seen += hit.occurrences
            if seen >= end and total is not None:
                break
        documents = self.fetch([id for id, _ in page])
        found = verify(node, documents)
        passages = [
            _passage(document, *span, width)
            for i, (document, (_, wanted)) in enumerate(zip(documents, page, strict=True))
            for span in found.of(i)[wanted]
        ]
        return Context(tuple(passages), seen if total is None else total)

    def forms(self, query: str | Node) -> tuple[WordForms, ...]:
        """Which forms of words were counted; see `Engine.forms`.

        Args:
            query: The query.
        """
        node = self._resolved(query)
        asked = self._translate(node)
        found = self._count_forms(asked) if asked.exact else None
        counts: dict[Leaf, Counter[str]] = {leaf: Counter() for leaf in leaves(node, negated=False)}
        for token, count in (found or self._read_forms(asked, node)).items():
            stem, _, form = token.partition("=")
            word = Word(stem, form, analyzer.fold(form))
            for leaf, counter in counts.items():
                if count and finds(leaf, word):
                    counter[form] += count
        return ranked_forms(counts)

    def fetch(self, ids: Sequence[str]) -> list[Document]:
        """Return documents with their text; see `Engine.fetch`.

        Args:
            ids: Their ids.
        """
        found: dict[str, Document] = {}
        for part in _batches(dict.fromkeys(ids), TEXTS):
            params = {f"i{n}": id for n, id in enumerate(part)}
            each = "".join(f" should='{{!term f=id v=$i{n}}}'" for n in range(len(part)))
            body = {"query": f"{{!bool{each}}}", "params": params, "fields": list(STORED)}
            answer = self._solr.query({**body, "limit": len(part)})
            found |= {entry["id"]: decode(entry) for entry in answer["response"]["docs"]}
        for id in ids:
            if id not in found:
                raise SolrError(f"{self._solr.url} has no document {id!r}; push the store to it")
        return [found[id] for id in ids]

    def _translate(self, node: Node) -> Translation:
        return Translation(node, self._expand)

    def _resolved(self, query: str | Node) -> Node:
        """Parse a query, with names in filters spelled as in the collection."""
        node = parse(query)
        try:
            return resolve(node, self._held)
        except ValueError:
            self._names.clear()  # the collection may have grown since
            return resolve(node, self._held) if self._held("type") else node

    def _held(self, field: str) -> list[str]:
        """The distinct names in a field of the collection."""
        if field not in self._names:
            name = _group_fields(field)[0]
            facet = {"names": {"type": "terms", "field": name, "limit": -1}}
            found = self._solr.query({"query": "*:*", "limit": 0, "facet": facet})["facets"]
            buckets = found["names"]["buckets"] if found["count"] else []
            self._names[field] = [bucket["val"] for bucket in buckets]
        return self._names[field]

    def _expand(self, leaf: Leaf, most: int) -> list[str]:
        """The first index terms `stem=form` that match a word or a prefix."""
        prefix = isinstance(leaf, Prefix)
        field = WORDS if prefix else TERMS
        answer = self._solr.form(
            "/terms",
            **{
                "terms.fl": field,
                "terms.prefix": leaf.text if prefix else f"{leaf.text}=",
                "terms.sort": "index",
                "terms.limit": most,
                "json.nl": "flat",
            },
        )
        found = answer["terms"][field][::2]
        return [term.partition("=")[2] for term in found] if prefix else found

    def _forms_of(self, token: str) -> list[str]:
        """The terms `stem=form` that a term represents."""
        return [token] if "=" in token else self._expand(Term(token), _FORMS)

    def _count_forms(self, asked: Translation) -> Counter[str] | None:
        """How often each form stands in the occurrences, as terms `stem=form`, counted by Solr.

        Each occurrence of a phrase has one form at each of its words, so the forms of a word are
        counted by replacing it in the phrase by each of them.

        Returns:
            The counts; None if there are too many forms for one request.
        """
        counted: list[tuple[str, Literal]] = []
        for literal in asked.literals:
            for i, token in enumerate(literal):
                forms = self._forms_of(token)
                counted += [(form, (*literal[:i], form, *literal[i + 1 :])) for form in forms]
                if len(counted) > _FORMS:
                    return None
        sums = {f"s{i}": f"sum({asked.count(phrase)})" for i, (_, phrase) in enumerate(counted)}
        body = self._body(asked, asked.documents, [], _BY_ID)
        facets = self._solr.query({**body, "limit": 0, "facet": sums})["facets"]
        found: Counter[str] = Counter()
        for i, (form, _) in enumerate(counted):
            found[form] += round(facets.get(f"s{i}", 0))
        return found

    def _read_forms(self, asked: Translation, node: Node) -> Counter[str]:
        """The same counts from the texts."""
        found: Counter[str] = Counter()
        entries = self._stream(asked, asked.documents, list(STORED), _BY_ID, TEXTS)
        for part in _batches(entries, TEXTS):
            documents = [decode(entry) for entry in part]
            places = verify(node, documents)
            for i, document in enumerate(documents):
                if places.occurrences[i]:
                    words = analyzer.words(searched(document))
                    for first, last in places.of(i):
                        found.update(map(exact, words[first : last + 1]))
        return found

    def _buckets(self, asked: Translation, by: str | None) -> dict[Label, dict[str, Any]]:
        """The groups of the admitted documents, with Solr's counts for each."""
        stats: dict[str, Any] = {"tokens": "sum(n_tokens)"}
        if asked.exact:
            stats["matching"] = {"type": "query", "q": asked.documents, "facet": _sums(asked)}
        facet = stats
        if by is not None:
            field = _group_fields(by)[0]
            groups = {"type": "terms", "field": field, "limit": -1, "missing": True}
            facet = {"groups": {**groups, "facet": stats}}
        body = self._body(asked, asked.universe, [], _BY_ID)
        facets = self._solr.query({**body, "limit": 0, "facet": facet})["facets"]
        if by is None:
            return {None: facets}
        if not facets["count"]:
            return {}
        found = {bucket["val"]: bucket for bucket in facets["groups"]["buckets"]}
        missing = facets["groups"]["missing"]
        return found | ({None: missing} if missing["count"] else {})

    def _matched(
        self, asked: Translation, node: Node, by: str | None, sort: str
    ) -> Iterator[_Counted]:
        """The matching documents with their occurrences, counted by Solr or by the matcher."""
        if asked.exact:
            fields = ["id", "date", "n_tokens", *_group_fields(by), *_occurrence_fields(asked)]
            for entry in self._stream(asked, asked.documents, fields, sort, PAGE):
                yield _counted(entry, by, round(entry.get("k", 0)))
            return
        fields = list(dict.fromkeys([*STORED, "n_tokens", *_group_fields(by)]))
        entries = self._stream(asked, asked.documents, fields, sort, TEXTS)
        for part in _batches(entries, TEXTS):
            found = verify(node, [decode(entry) for entry in part])
            for entry, matched, k in zip(part, found.matched, found.occurrences, strict=True):
                if matched:
                    yield _counted(entry, by, int(k))

    def _stream(
        self, asked: Translation, query: str, fields: list[str], sort: str, rows: int
    ) -> Iterator[dict[str, Any]]:
        return self._solr.stream(self._body(asked, query, fields, sort), rows)

    def _body(self, asked: Translation, query: str, fields: list[str], sort: str) -> dict[str, Any]:
        return {"query": query, "params": asked.params, "fields": fields, "sort": sort}


def _check_page(limit: int, offset: int) -> None:
    for name, value in (("limit", limit), ("offset", offset)):
        if value < 0:
            raise EngramError(f"{name} is {value}; it must not be negative")


def _group_fields(by: str | None) -> list[str]:
    return [] if by is None else ["doc_type" if by == "type" else by]


def _occurrence_fields(asked: Translation) -> list[str]:
    return [f"k:{asked.occurrences}"] if asked.occurrences else []


def _label(entry: dict[str, Any], by: str | None) -> Label:
    return entry.get(_group_fields(by)[0]) if by else None


def _counted(entry: dict[str, Any], by: str | None, occurrences: int) -> _Counted:
    return _Counted(entry["id"], entry["date"], _label(entry, by), occurrences, entry["n_tokens"])


def _sums(asked: Translation) -> dict[str, str]:
    """Sums over the matching documents: of k, and of k²/n.

    Solr's arithmetic has single precision, but its trigonometry has double: k/√n is computed as
    tan(atan2(k, √n)), and its squares add up to the dispersion.
    """
    if asked.occurrences is None:
        return {}
    ratio = f"tan(atan2({asked.occurrences},sqrt(n_tokens)))"
    return {"occurrences": f"sum({asked.occurrences})", "dispersion": f"sumsq({ratio})"}


def _matching(bucket: dict[str, Any]) -> tuple[int, int, float]:
    """Documents, occurrences and dispersion of a group, as Solr counted them."""
    found = bucket.get("matching", {})
    return found.get("count", 0), round(found.get("occurrences", 0)), found.get("dispersion", 0.0)


def _summed(hits: Iterable[_Counted], groups: tuple[Label, ...]) -> list[tuple[int, int, float]]:
    """Documents, occurrences and dispersion of each group, summed by Engram."""
    sums: dict[Label, tuple[int, int, float]] = dict.fromkeys(groups, (0, 0, 0.0))
    for hit in hits:
        documents, occurrences, dispersion = sums[hit.label]
        k, n = hit.occurrences, hit.tokens
        sums[hit.label] = documents + 1, occurrences + k, dispersion + (k * k / n if n else 0.0)
    return [sums[label] for label in groups]


def _passage(document: Document, first: int, last: int, width: int) -> Passage:
    """The passage from the first to the last term."""
    text = searched(document)
    spans = analyzer.spans(text)
    start, end = spans[first][0], spans[last][1]
    return Passage(
        document.id,
        document.date,
        document.title,
        document.url,
        left=text[max(0, start - width) : start],
        match=text[start:end],
        right=text[end : end + width],
        start=start,
        end=end,
    )


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
