"""SolrEngine: queries answered by Solr, with the same counts as every other engine.

Solr alone counts what `translate` can express exactly: all tallies of a query, the best hits and
the forms of its words are then one request, however many groups there are. Otherwise, mostly for
proximity, Solr finds the documents that contain the words, their texts are fetched page by page,
once, and the matcher counts. Both ways give equal counts; only the time differs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from engram.index import Hits
from engram.policy import analyzer
from engram.policy.analyzer import Word
from engram.policy.document import Document, searched
from engram.policy.engine import (
    Answer,
    Context,
    Engine,
    Page,
    Passage,
    Question,
    WordForms,
    passage,
    ranked_forms,
)
from engram.policy.query import AnyQuery, Node, Prefix, parse
from engram.policy.query.functional import finds
from engram.policy.query.tree import Leaf, leaves
from engram.policy.query.values import resolve
from engram.policy.solr.client import Solr, SolrError
from engram.policy.solr.facets import (
    Groups,
    group_facets,
    group_field,
    group_label,
    read_groups,
    tally_of,
)
from engram.policy.solr.matcher import Verified, verify
from engram.policy.solr.schema import STORED, TERMS, WORDS, decode, exact
from engram.policy.solr.translate import Literal, Translation
from engram.policy.tally import DocumentCounts, Label, Tally, ordered

PAGE = 5000
"""Documents per request when only counts are fetched."""

TEXTS = 50
"""Documents per request when texts are fetched as well."""

_BY_ID = "id asc"
_BY_DATE = "date asc,id asc"


class _Hit(NamedTuple):
    """A document that matches: its entry in Solr, without the text, and its occurrences."""

    entry: dict[str, Any]
    occurrences: int


class SolrEngine(Engine):
    """Answers queries over the documents of a Solr collection: an `Engine`.

    Args:
        solr: The collection, filled by `push`.
    """

    def __init__(self, solr: Solr) -> None:
        self._solr = solr
        self._names: dict[str, list[str]] = {}

    def answer(self, query: AnyQuery, question: Question) -> Answer:
        """Evaluate a query in one request, or in one pass over texts; see `Engine.answer`."""
        node = self._resolved(query)
        asked = Translation(node, self._expand)
        phrases = asked.form_phrases() if question.forms and asked.exact else []
        if asked.exact and phrases is not None:
            return self._count(asked, node, question, phrases)
        return self._read(asked, node, question)

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

    def _resolved(self, query: AnyQuery) -> Node:
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
            name = group_field(field)
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

    def _count(
        self,
        asked: Translation,
        node: Node,
        question: Question,
        phrases: Sequence[tuple[str, Literal]],
    ) -> Answer:
        """The answer as counted by Solr."""
        stats = _sums(asked)
        facets = group_facets(question.by, stats) | _universe(asked, question)
        facets |= {f"form{i}": f"sum({asked.count(one)})" for i, (_, one) in enumerate(phrases)}
        first = f"{asked.occurrences} desc," if asked.occurrences else ""
        body = self._body(asked, asked.documents, _counted_fields(asked), first + _BY_DATE)
        page = question.hits._asdict()
        answer = self._solr.query({**body, **page, "facet": facets})
        found, entries = answer["facets"], answer["response"]["docs"]
        forms: Counter[str] = Counter()
        for i, (form, _) in enumerate(phrases):
            forms[form] += round(found.get(f"form{i}", 0))
        matching = {by: read_groups(found, by) for by in question.by}
        total = round(found.get("occurrences", 0))
        return Answer(
            _tallies(found, matching),
            self._each(asked, question, self._matched(asked) if question.each else ()),
            Hits(
                [entry["id"] for entry in entries],
                [round(entry.get("k", 0)) for entry in entries],
                answer["response"]["numFound"],
            ),
            Context(tuple(self._passages(asked, node, question)), total),
            _ranked(node, forms) if question.forms else (),
        )

    def _passages(self, asked: Translation, node: Node, question: Question) -> Iterator[Passage]:
        """The occurrences on a page, as counted by Solr and found by the matcher."""
        limit, offset = question.passages
        if not limit:
            return
        body = self._body(asked, asked.documents, _counted_fields(asked), _BY_DATE)
        on_page, seen = _Window(question.passages), []
        for entry in self._solr.stream(body, min(PAGE, max(TEXTS, limit + offset))):
            if part := on_page.take(round(entry.get("k", 0))):
                seen.append((entry["id"], part))
            if on_page.full:
                break
        documents = self.fetch([id for id, _ in seen])
        found = verify(node, documents)
        for i, (document, (_, part)) in enumerate(zip(documents, seen, strict=True)):
            yield from _shown(document, found, i, part, question.width)

    def _read(self, asked: Translation, node: Node, question: Question) -> Answer:
        """The answer as counted by the matcher, in one pass over the texts."""
        fields = dict.fromkeys((*STORED, *_fields(question.groupings)))
        entries = self._solr.stream(self._body(asked, asked.documents, [*fields], _BY_DATE), TEXTS)
        on_page, hits, passages, forms = _Window(question.passages), [], [], Counter[str]()
        for part in _batches(entries, TEXTS):
            documents = [decode(entry) for entry in part]
            found = verify(node, documents)
            for i in np.flatnonzero(found.matched).tolist():
                k = int(found.occurrences[i])
                hits.append(_Hit({x: y for x, y in part[i].items() if x != "text"}, k))
                if shown := on_page.take(k):
                    passages += _shown(documents[i], found, i, shown, question.width)
                if question.forms and k:
                    words = analyzer.words(searched(documents[i]))
                    for first, last in found.of(i):
                        forms.update(map(exact, words[first : last + 1]))
        matching = {by: _summed(hits, by) for by in question.by}
        body = self._body(asked, asked.universe, [], _BY_ID)
        facet = _universe(asked, question)
        counted = self._solr.query({**body, "limit": 0, "facet": facet}) if facet else {}
        best = sorted((-one.occurrences, one.entry["date"], one.entry["id"]) for one in hits)
        limit, offset = question.hits
        page = best[offset : offset + limit]
        return Answer(
            _tallies(counted.get("facets", {}), matching),
            self._each(asked, question, hits),
            Hits([hit[2] for hit in page], [-hit[0] for hit in page], len(hits)),
            Context(tuple(passages), on_page.seen),
            _ranked(node, forms) if question.forms else (),
        )

    def _matched(self, asked: Translation) -> Iterator[_Hit]:
        """The matching documents with their occurrences, as counted by Solr."""
        body = self._body(asked, asked.documents, _counted_fields(asked), _BY_ID)
        for entry in self._solr.stream(body, PAGE):
            yield _Hit(entry, round(entry.get("k", 0)))

    def _each(
        self, asked: Translation, question: Question, hits: Iterable[_Hit]
    ) -> dict[str | None, DocumentCounts]:
        """The counts of every admitted document, by each grouping."""
        if not question.each:
            return {}
        found = {hit.entry["id"]: hit.occurrences for hit in hits}
        body = self._body(asked, asked.universe, ["id", *_fields(question.each)], _BY_ID)
        entries = list(self._solr.stream(body, PAGE))
        matched = np.array([entry["id"] in found for entry in entries], dtype=np.bool_)
        occurrences = np.array([found.get(entry["id"], 0) for entry in entries], dtype=np.int64)
        tokens = np.array([entry["n_tokens"] for entry in entries], dtype=np.int64)
        counts = {}
        for by in question.each:
            labels = [_label(entry, by) for entry in entries]
            groups = ordered(set(labels), by) if by else (None,)
            place = {label: i for i, label in enumerate(groups)}
            group = np.array([place[label] for label in labels], dtype=np.int64)
            counts[by] = DocumentCounts(by, groups, group, matched, occurrences, tokens)
        return counts

    def _body(self, asked: Translation, query: str, fields: list[str], sort: str) -> dict[str, Any]:
        return {"query": query, "params": asked.params, "fields": fields, "sort": sort}


class _Window:
    """The part of each document's occurrences that is on a page.

    Args:
        page: The page.
    """

    def __init__(self, page: Page) -> None:
        self._start, self._end = page.offset, page.offset + page.limit
        self.seen = 0
        """Number of occurrences so far."""

    @property
    def full(self) -> bool:
        """Whether no further occurrence is on the page."""
        return self.seen >= self._end

    def take(self, occurrences: int) -> slice | None:
        """Return which occurrences of the next document are on the page, if any.

        Args:
            occurrences: How many it has.
        """
        first, last = self._start - self.seen, self._end - self.seen
        self.seen += occurrences
        return slice(max(0, first), last) if last > 0 and occurrences > first else None


def _shown(
    document: Document, found: Verified, i: int, part: slice, width: int
) -> Iterator[Passage]:
    """Some occurrences in the i-th of the verified documents."""
    places = analyzer.spans(searched(document))
    for first, last in found.of(i)[part]:
        yield passage(document, places[first][0], places[last][1], width)


def _fields(groupings: Iterable[str | None]) -> list[str]:
    return ["n_tokens", *dict.fromkeys(group_field(by) for by in groupings if by is not None)]


def _counted_fields(asked: Translation) -> list[str]:
    return ["id", *([f"k:{asked.occurrences}"] if asked.occurrences else [])]


def _label(entry: dict[str, Any], by: str | None) -> Label:
    value = None if by is None else entry.get(group_field(by))
    return None if by is None or value is None else group_label(value, by)


def _universe(asked: Translation, question: Question) -> dict[str, Any]:
    """The facet of the documents that pass the filters."""
    if not question.by:
        return {}
    facet = group_facets(question.by, {"tokens": "sum(n_tokens)"})
    everywhere = {"query": "*:*"}
    return {
        "universe": {"type": "query", "q": asked.universe, "domain": everywhere, "facet": facet}
    }


def _tallies(facets: dict[str, Any], matching: dict[str | None, Groups]) -> dict[str | None, Tally]:
    admitted = {by: read_groups(facets["universe"], by) for by in matching}
    return {by: tally_of(by, admitted[by], groups) for by, groups in matching.items()}


def _sums(asked: Translation) -> dict[str, str]:
    """Sums over the matching documents: of k, and of k²/n.

    Solr's arithmetic has single precision, but its trigonometry has double: k/√n is computed as
    tan(atan2(k, √n)), and its squares add up to the dispersion.
    """
    if asked.occurrences is None:
        return {}
    ratio = f"tan(atan2({asked.occurrences},sqrt(n_tokens)))"
    return {"occurrences": f"sum({asked.occurrences})", "dispersion": f"sumsq({ratio})"}


def _summed(hits: Iterable[_Hit], by: str | None) -> Groups:
    """Documents, occurrences and dispersion of each group, summed by Engram."""
    groups: dict[Label, Counter[str]] = {}
    for entry, k in hits:
        n = entry["n_tokens"]
        found = {"count": 1, "occurrences": k, "dispersion": k * k / n if n else 0.0}
        groups.setdefault(_label(entry, by), Counter()).update(found)
    return groups


def _ranked(node: Node, found: Counter[str]) -> tuple[WordForms, ...]:
    """The forms of each word of a query, from counts of the terms `stem=form`."""
    counts: dict[Leaf, Counter[str]] = {leaf: Counter() for leaf in leaves(node, negated=False)}
    for token, count in found.items():
        stem, _, form = token.partition("=")
        word = Word(stem, form, analyzer.fold(form))
        for leaf, counter in counts.items():
            if count and finds(leaf, word):
                counter[form] += count
    return ranked_forms(counts)


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
