"""A survey is what its parts are when they are asked for one by one, from one evaluation."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engram.cli.policy.asking import name_queries
from engram.policy.engine import Engine
from engram.policy.measure import (
    Measurement,
    compare,
    comparison,
    facets,
    filter_notes,
    first_appearance,
    foremost,
    frequency,
    survey,
)
from engram.policy.query import Node, read, syntax
from engram.policy.query.tree import leaves
from engram.policy.segment import opened
from engram.policy.solr import SolrEngine

EXACT = "tax* cut date:1850.. NOT type:vote"
QUERIES = ("tax", EXACT, "{cut, raise} NEAR/5 tax party:{Whig, Democrat}", "zebra", "type:vote")


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("by", ["congress", "president", None])
def test_a_survey_is_its_parts(engine: Engine, query: str, by: str | None) -> None:
    for method in ("quasi-poisson", "bootstrap"):
        how = Measurement("per-document", method, seed=3)
        found = survey(engine, {"x": query}, by, how, facets=("party", "decade"), limit=4)
        one, other = (
            frequency(engine, {"x": query}, grouping, "per-document", method, seed=3)
            for grouping in (None, by)
        )
        assert found.total == one
        assert found.groups == foremost(other, 4)
        assert found.facets == facets(engine, query, ("party", "decade"), "per-document")
        assert found.first == first_appearance(engine, query)
        hits = engine.search(query, 5)
        assert (found.hits.ids, found.hits.total) == (hits.ids, hits.total)
        assert [document.id for document in found.documents] == list(hits.ids)
        assert found.forms == {some.word: some for some in engine.forms(query)}
        assert found.notes == [*read(query).notes, *filter_notes(engine, query)]


@pytest.mark.parametrize("by", ["decade", "party", None])
def test_a_comparison_is_its_parts(engine: Engine, by: str | None) -> None:
    queries = ["tax", "duty", "tax NEAR/5 cut party:Whig"]
    found = comparison(engine, queries, by, limit=3)
    assert found.groups == foremost(frequency(engine, queries, by), 3)
    assert found.ratios == compare(engine, queries)
    shown = {row.group for row in found.groups.rows}
    each = compare(engine, queries, by=by) if by else []
    assert found.by_group == [ratio for ratio in each if ratio.group in shown]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries that were parsed."""
    texts: list[str] = []
    parse = syntax._Parser.parse

    def recorded(parser: syntax._Parser) -> Node:
        texts.append(parser.text)
        return parse(parser)

    monkeypatch.setattr(syntax._Parser, "parse", recorded)
    return texts


def test_a_query_is_parsed_once_and_evaluated_once_in_each_segment(
    embedded: Any, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated: Counter[str] = Counter()
    evaluate = opened.evaluate

    def recorded(node: Node, *rest: Any) -> Any:
        if list(leaves(node)):
            evaluated[repr(node)] += 1
        return evaluate(node, *rest)

    monkeypatch.setattr(opened, "evaluate", recorded)
    named = name_queries((EXACT,))
    survey(embedded, named, "year", facets=("party", "president"))
    survey(embedded, named, "year", Measurement(method="bootstrap"))
    assert parsed == [EXACT]
    assert list(evaluated.values()) == [2 * len(embedded.paths)]  # of two surveys
    queries = ("tax", "duty NEAR/3 tax")
    comparison(embedded, name_queries(queries), "year", Measurement(method="bootstrap"))
    assert parsed == [EXACT, *queries]
    assert list(evaluated.values())[1:] == [len(embedded.paths)] * 2


class Recorded(httpx.HTTPTransport):
    """Passes requests on, and counts them by their handler."""

    def __init__(self) -> None:
        super().__init__()
        self.handlers: Counter[str] = Counter()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.handlers[request.url.path.rpartition("/")[2]] += 1
        return super().handle_request(request)


@pytest.fixture
def requests(served: SolrEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """The requests to Solr, by handler."""
    transport = Recorded()
    with httpx.Client(transport=transport) as client:
        monkeypatch.setattr(served._solr, "_http", client)
        yield transport.handlers


@pytest.mark.solr
@pytest.mark.xdist_group("solr")
def test_solr_counts_everything_in_one_request(
    served: SolrEngine, parsed: list[str], requests: Counter[str]
) -> None:
    fields = ("party", "president", "decade", "type")
    query = '{"tax cut", duty} date:1850..'
    served.tally(query, "month")
    assert requests == {"query": 1}
    requests.clear()
    survey(served, query, "year", facets=fields, forms=False)
    # all counts and the best hits; the earliest occurrence; its text; the texts of the hits
    assert requests["query"] == 4
    requests.clear()
    survey(served, query, "year", facets=fields)
    assert requests["query"] == 4  # forms are in the same request, once they are looked up
    assert requests["terms"] == 3
    assert parsed == [query] * 3


@pytest.mark.solr
@pytest.mark.xdist_group("solr")
def test_solr_hands_out_each_text_once_for_proximity(
    served: SolrEngine, requests: Counter[str]
) -> None:
    query = "tax NEAR/3 cut date:1850.."
    texts = served.search("tax cut date:1850..").total
    assert texts
    requests.clear()
    survey(served, query, "year", facets=("party", "president"))
    # the texts in pages of 50; the denominators; the texts of the hits
    assert requests == {"query": texts // 50 + 1 + 2}
