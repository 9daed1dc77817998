"""The embedded engine answers as the definition says."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from engram.policy import segment
from engram.policy.document import Document
from engram.policy.embedded import EmbeddedEngine
from engram.policy.tally import GROUPINGS, Tally
from tests.policy.brute import BruteForce
from tests.policy.queries import documents, queries

DOCUMENTS = documents(seed=1, count=120)
QUERIES = queries(seed=2, count=500)


@pytest.fixture(scope="module")
def brute() -> BruteForce:
    return BruteForce(DOCUMENTS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    folder = tmp_path_factory.mktemp("segments")
    cuts = (0, 50, 51, 51, len(DOCUMENTS))  # one segment holds a single document, one none
    for i, (low, high) in enumerate(pairwise(cuts)):
        segment.write(folder / f"{i}.sqlite", DOCUMENTS[low:high])
    engine = EmbeddedEngine(sorted(folder.glob("*.sqlite")))
    yield engine
    engine.close()


def rows(tally: Tally) -> dict[object, list[float]]:
    columns = (
        tally.documents,
        tally.occurrences,
        tally.all_documents,
        tally.all_tokens,
        tally.dispersion,
    )
    return {label: [float(column[i]) for column in columns] for i, label in enumerate(tally.groups)}


def test_500_generated_queries_count_as_defined(engine: EmbeddedEngine, brute: BruteForce) -> None:
    total = 0
    for query in QUERIES:
        tally = engine.tally(query.text, by=None)
        counts = int(tally.documents.sum()), int(tally.occurrences.sum())
        assert counts == brute.counts(query.tree), query.text
        total += counts[1]
    assert total > 10_000


def test_the_forms_that_were_counted(engine: EmbeddedEngine, brute: BruteForce) -> None:
    for query in QUERIES[:200]:
        found = {some.word: dict(some.forms) for some in engine.forms(query.tree)}
        expected = brute.forms(query.tree)
        assert found == expected, query.text
    tax = engine.forms("tax")[0]
    assert sum(count for _, count in tax.forms) == engine.tally("tax", None).occurrences[0]
    assert tax.describe(2).startswith("tax: tax ")
    assert " more forms " in engine.forms("t*")[0].describe(2)


@pytest.mark.parametrize("by", [*GROUPINGS, None])
def test_tallies_by_group(engine: EmbeddedEngine, brute: BruteForce, by: str | None) -> None:
    for query in QUERIES[:40]:
        expected = brute.tally(query.tree, by)
        found = rows(engine.tally(query.text, by))
        assert list(found) == brute.in_order(expected, by)
        for label, row in found.items():
            assert row == pytest.approx(expected[label]), query.text


@pytest.mark.parametrize("by", ["year", "party", None])
def test_documents_add_up_to_the_tally(engine: EmbeddedEngine, by: str | None) -> None:
    for query in QUERIES[:40]:
        tally, counts = engine.tally(query.text, by), engine.per_document(query.text, by)
        assert counts.groups == tally.groups
        for i in range(len(tally.groups)):
            mine = counts.group == i
            assert counts.matched[mine].sum() == tally.documents[i]
            assert counts.occurrences[mine].sum() == tally.occurrences[i]
            assert counts.tokens[mine].sum() == tally.all_tokens[i]
            assert mine.sum() == tally.all_documents[i]


def test_search_ranks_by_occurrences_date_and_id(engine: EmbeddedEngine, brute: BruteForce) -> None:
    for query in QUERIES[:100]:
        expected = brute.search(query.tree)
        for limit, offset in ((10, 0), (7, 13), (1000, 0), (0, 0), (5, 500)):
            hits = engine.search(query.text, limit, offset)
            assert list(hits) == expected[offset : offset + limit], query.text
            assert hits.total == len(expected)


def test_context_shows_every_occurrence_in_order(engine: EmbeddedEngine, brute: BruteForce) -> None:
    texts = {document.id: document.text or document.title for document in DOCUMENTS}
    for query in QUERIES[:60]:
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


def test_passages_name_their_document(engine: EmbeddedEngine) -> None:
    by_id = {document.id: document for document in DOCUMENTS}
    for passage in engine.context("tax", limit=30).passages:
        document = by_id[passage.id]
        assert (passage.date, passage.title, passage.url) == (
            document.date,
            document.title,
            document.url,
        )


def test_documents_come_back_as_they_were_written(engine: EmbeddedEngine) -> None:
    chosen = DOCUMENTS[::-7]
    assert engine.fetch([document.id for document in chosen]) == chosen
    with pytest.raises(ValueError, match="no document 'made:none'"):
        engine.fetch([DOCUMENTS[0].id, "made:none"])


def test_no_segments_count_nothing() -> None:
    engine = EmbeddedEngine([])
    assert engine.tally("tax").groups == ()
    assert engine.tally("tax", None).all_tokens.tolist() == [0]
    assert len(engine.per_document("tax").group) == 0
    assert engine.search("tax").total == 0
    assert engine.context("tax").total == 0


def test_more_segments_than_may_be_open(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rows(engine.tally("tax"))
    engine.close()
    monkeypatch.setattr("engram.policy.embedded.engine._OPEN", 1)
    assert rows(engine.tally("tax")) == expected


def test_mistakes_are_named(engine: EmbeddedEngine, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot group by 'week'"):
        engine.tally("tax", by="week")
    with pytest.raises(ValueError, match="must not be negative"):
        engine.search("tax", limit=-1)
    with pytest.raises(ValueError, match="must not be negative"):
        engine.context("tax", offset=-1)
    for content in (b"", b"no database at all" * 100):
        (tmp_path / "x.sqlite").write_bytes(content)
        with pytest.raises(ValueError, match="is not a segment"):
            EmbeddedEngine([tmp_path / "x.sqlite"]).tally("tax")


INJECTIONS = (
    '"',
    "''''",
    "'; DROP TABLE documents; --",
    "tax' OR '1'='1",
    'tax" OR "x',
    "tax) OR (terms MATCH tax",
    "joined : tax",
    "-joined: tax",
    "^tax",
    "NEAR(tax cut, 5)",
    "tax + cut",
    "tax\0cut",
    "\0",
    "tax cut\n\r\t",
    "{!knn f=x}tax",
    "*:*",
    "_query_:tax",
    "%s %d {0}",
    "\ud800",
    'א"ב',
    "tax " * 4_000,
    '"' + "tax " * 500 + '"',
    " OR ".join(f"word{i}" for i in range(1_500)),
    " NEAR/3 ".join(["tax"] * 40),
    "(" * 49 + "tax" + ")" * 49,
    "(" * 5_000,
    "NOT " * 5_000 + "tax",
    "{" + ",".join(["tax"] * 4_000) + "}",
    "t* " * 300,
)


@pytest.mark.parametrize("text", INJECTIONS, ids=range(len(INJECTIONS)))
def test_a_query_is_words_or_an_error_and_never_a_command(
    engine: EmbeddedEngine, brute: BruteForce, text: str
) -> None:
    before = [path.read_bytes() for path in engine.paths]
    try:
        expected = brute.counts(text)
    except ValueError:
        with pytest.raises(ValueError, match="in the query, at character"):
            engine.tally(text)
    else:
        tally = engine.tally(text, by=None)
        assert (tally.documents.sum(), tally.occurrences.sum()) == expected
    assert [path.read_bytes() for path in engine.paths] == before


@pytest.mark.parametrize("hostile", ["'; DROP TABLE documents; --", 'a"b', "a%b_c", "x]}", "a\\b"])
def test_names_and_ids_are_values(tmp_path: Path, hostile: str) -> None:
    document = Document(hostile, "speech", date(1900, 1, 1), hostile, "tax cut", speaker=hostile)
    other = Document("b", "speech", date(1900, 1, 1), "b", "tax", speaker="b")
    path = tmp_path / "s.sqlite"
    segment.write(path, [document, other])
    engine = EmbeddedEngine([path])
    assert engine.fetch([hostile]) == [document]
    quotes = "“{}”" if '"' in hostile else '"{}"'
    hits = engine.search(f"tax speaker:{quotes.format(hostile)}")
    assert hits.ids == (hostile,)
    assert engine.tally("tax", "speaker").groups == tuple(sorted((hostile, "b")))
    engine.close()


def test_spans_of_long_texts_stay_in_their_document(tmp_path: Path) -> None:
    texts = ["tax", "cut tax", "cut"]
    made = [Document(str(i), "speech", date(1900, 1, 1), "", text) for i, text in enumerate(texts)]
    path = tmp_path / "s.sqlite"
    segment.write(path, made)
    engine = EmbeddedEngine([path])
    assert engine.tally('"tax cut"', None).documents[0] == 0
    assert engine.tally("tax NEAR/100 cut", None).documents[0] == 1
    assert np.array_equal(engine.per_document("tax NEAR/100 cut").occurrences, [0, 1, 0])
    engine.close()
