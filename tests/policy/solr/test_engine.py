"""Solr answers as the definition says, on one node and on a cloud of two shards."""

from collections.abc import Iterator
from datetime import date

import pytest

from engram.policy import analyzer
from engram.policy.document import Document, searched
from engram.policy.measure import filter_notes
from engram.policy.query import Node
from engram.policy.query.values import UnknownValueError
from engram.policy.solr import Solr, SolrEngine, create_collection, create_schema
from engram.policy.solr import engine as module
from engram.policy.solr.schema import encode
from engram.policy.solr.translate import Translation
from engram.policy.tally import GROUPINGS
from tests.policy.brute import BruteForce
from tests.policy.embedded.test_engine import INJECTIONS, rows
from tests.policy.queries import documents, queries
from tests.policy.solr.server import Server

pytestmark = [pytest.mark.solr, pytest.mark.xdist_group("solr")]

DOCUMENTS = documents(seed=1, count=120)
QUERIES = queries(seed=2, count=500)


def fill(solr: Solr, made: list[Document]) -> None:
    create_schema(solr)
    entries = [encode(document, len(analyzer.terms(searched(document))), "") for document in made]
    solr.post("/update", entries, commit="true")


@pytest.fixture(scope="module")
def brute() -> BruteForce:
    return BruteForce(DOCUMENTS)


@pytest.fixture(scope="module")
def node(solr_node: Server) -> Iterator[Solr]:
    with Solr(solr_node.create("record")) as solr:
        fill(solr, DOCUMENTS)
        yield solr


@pytest.fixture(scope="module")
def cloud(solr_cloud: Server) -> Iterator[Solr]:
    with Solr(f"{solr_cloud.url}/record") as solr:
        assert create_collection(solr, shards=2)
        fill(solr, DOCUMENTS)
        yield solr


@pytest.fixture(params=["node", "cloud"])
def engine(request: pytest.FixtureRequest) -> SolrEngine:
    return SolrEngine(request.getfixturevalue(request.param))


def counts(engine: SolrEngine, query: str | Node) -> tuple[int, int]:
    tally = engine.tally(query, by=None)
    return int(tally.documents.sum()), int(tally.occurrences.sum())


# the shards add to one node's answer only their merging
@pytest.mark.parametrize(
    ("where", "number"),
    [("node", 500), ("cloud", 100), pytest.param("cloud", 500, marks=pytest.mark.slow)],
)
def test_generated_queries_count_as_defined(
    request: pytest.FixtureRequest, brute: BruteForce, where: str, number: int
) -> None:
    engine, total = SolrEngine(request.getfixturevalue(where)), 0
    for query in QUERIES[:number]:
        expected = brute.counts(query.tree)
        assert counts(engine, query.text) == expected, query.text
        total += expected[1]
    assert total > 20 * number


def test_the_forms_that_were_counted(engine: SolrEngine, brute: BruteForce) -> None:
    for query in QUERIES[:60]:
        found = {some.word: dict(some.forms) for some in engine.forms(query.tree)}
        expected = {
            word: {form: n for form, n in forms.items() if n}
            for word, forms in brute.forms(query.tree).items()
        }
        found = {word: {form: n for form, n in x.items() if n} for word, x in found.items()}
        assert found == expected, query.text


def test_solr_counts_most_queries_alone() -> None:
    alone = [Translation(query.tree, lambda *_: []).exact for query in QUERIES]
    assert 0.3 < sum(alone) / len(alone) < 1


def test_the_two_shards_have_a_part_each(cloud: Solr) -> None:
    answer = cloud.query({"query": "*:*", "limit": 500, "fields": ["[shard]"]})
    assert len({entry["[shard]"] for entry in answer["response"]["docs"]}) == 2


@pytest.mark.parametrize("by", [*GROUPINGS, None])
def test_tallies_by_group(engine: SolrEngine, brute: BruteForce, by: str | None) -> None:
    for query in QUERIES[:15]:
        expected = brute.tally(query.tree, by)
        found = rows(engine.tally(query.text, by))
        if by is None and not expected:
            expected[None] = [0] * 5
        assert list(found) == brute.in_order(expected, by)
        for label, row in found.items():
            assert row[:4] == expected[label][:4], query.text
            assert row[4] == pytest.approx(expected[label][4], rel=1e-12), query.text


@pytest.mark.parametrize("by", ["year", "party", None])
def test_documents_add_up_to_the_tally(engine: SolrEngine, by: str | None) -> None:
    for query in QUERIES[:15]:
        tally, found = engine.tally(query.text, by), engine.per_document(query.text, by)
        assert found.groups == tally.groups
        for i in range(len(tally.groups)):
            mine = found.group == i
            assert found.matched[mine].sum() == tally.documents[i]
            assert found.occurrences[mine].sum() == tally.occurrences[i]
            assert found.tokens[mine].sum() == tally.all_tokens[i]
            assert mine.sum() == tally.all_documents[i]


def test_search_ranks_by_occurrences_date_and_id(engine: SolrEngine, brute: BruteForce) -> None:
    for query in QUERIES[:20]:
        expected = brute.search(query.tree)
        for limit, offset in ((10, 0), (7, 13), (1000, 0), (0, 0), (5, 500)):
            hits = engine.search(query.text, limit, offset)
            assert list(hits) == expected[offset : offset + limit], query.text
            assert hits.total == len(expected)


def test_context_shows_every_occurrence_in_order(
    engine: SolrEngine, brute: BruteForce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 7)  # pages within pages
    texts = {document.id: searched(document) for document in DOCUMENTS}
    for query in QUERIES[:15]:
        expected = brute.context(query.tree)
        for limit, offset in ((20, 0), (3, 17), (40, len(expected) // 2), (0, 0), (5, 10**6)):
            page = engine.context(query.text, limit, offset, width=15)
            found = [(x.id, x.start, x.end) for x in page.passages]
            assert found == expected[offset : offset + limit], query.text
            assert page.total == len(expected)
            for x in page.passages:
                text = texts[x.id]
                assert x.match == text[x.start : x.end]
                assert x.left == text[max(0, x.start - 15) : x.start]
                assert x.right == text[x.end : x.end + 15]


def test_documents_come_back_as_they_were_sent(engine: SolrEngine) -> None:
    chosen = DOCUMENTS[::-1]
    assert engine.fetch([document.id for document in chosen]) == chosen
    with pytest.raises(ValueError, match="no document 'made:none'"):
        engine.fetch([DOCUMENTS[0].id, "made:none"])


def test_a_prefix_is_looked_up_in_every_shard_and_many_terms_are_too_many(
    solr_cloud: Server,
) -> None:
    made = [
        Document(f"d{i}", "speech", date(1900, 1, 1), "", f"tax rare{i} rare{i} many{i}x tax")
        for i in range(600)
    ]
    with Solr(f"{solr_cloud.url}/prefix") as solr:
        create_collection(solr, shards=2)
        fill(solr, made)
        engine, expected = SolrEngine(solr), BruteForce(made)
        for query in ("rare1*", "rare*", '"tax rare1*"', '"tax rare*"', "many* NOT rare3*", "t*"):
            assert counts(engine, query) == expected.counts(query), query


def test_mistakes_are_named(engine: SolrEngine) -> None:
    with pytest.raises(ValueError, match="cannot group by 'week'"):
        engine.tally("tax", by="week")
    with pytest.raises(ValueError, match="must not be negative"):
        engine.search("tax", limit=-1)
    with pytest.raises(ValueError, match="must not be negative"):
        engine.context("tax", offset=-1)


SYNTAX = (
    "$w0",
    "{!func}1",
    "{!v=$w1}",
    "tax} should=$w0",
    "' v='*:*",
    '_val_:\\"1\\"',
    "[* TO *]",
    "*:* OR id:*",
    "${jndi:ldap://x}",
    "${w0}",
    "tax\\",
)


@pytest.mark.parametrize(
    "text",
    [*INJECTIONS, *(f'speaker:"{text}" OR tax' for text in SYNTAX), *SYNTAX],
    ids=range(len(INJECTIONS) + 2 * len(SYNTAX)),
)
def test_a_query_is_words_or_an_error_and_never_a_command(
    node: Solr, brute: BruteForce, text: str
) -> None:
    engine = SolrEngine(node)
    try:
        expected = brute.counts(text)
    except ValueError:
        with pytest.raises(ValueError, match="in the query, at character"):
            engine.tally(text)
    else:
        if "speaker:" in text:
            with pytest.raises(UnknownValueError, match="no document has the speaker"):
                engine.tally(text)
        else:
            assert counts(engine, text) == expected


@pytest.mark.parametrize("hostile", [*SYNTAX, "a%b_c", "x]}", "a\nb", "a!b", "a/2!b", "*", "&id=1"])
def test_names_and_ids_are_values(cloud: Solr, hostile: str) -> None:
    made = Document(
        f"hostile:{hostile}", "speech", date(1900, 1, 1), hostile, "zebra", speaker=hostile
    )
    other = Document("hostile:b", "speech", date(1900, 1, 1), "b", "zebra", speaker="b")
    fill(cloud, [made, other])
    engine = SolrEngine(cloud)
    try:
        assert engine.fetch([made.id]) == [made]
        quotes = "“{}”" if '"' in hostile else '"{}"'
        hits = engine.search(f"zebra speaker:{quotes.format(hostile)}")
        assert hits.ids == (made.id,)
        assert set(engine.tally("zebra AND date:1900-01-01", "speaker").groups) >= {hostile, "b"}
    finally:
        cloud.post("/update", {"delete": [made.id, other.id]}, commit="true")


def test_filters_that_admit_nothing_are_named(engine: SolrEngine) -> None:
    years = sorted(document.date.year for document in DOCUMENTS)
    (note,) = filter_notes(engine, "tax date:1500..1600")
    assert note.endswith(f"the record runs from {years[0]} to {years[-1]}")
    assert filter_notes(engine, f"tax date:{years[0]} NOT date:1500..1600") == []
