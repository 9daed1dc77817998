import random
from collections.abc import Iterator
from unicodedata import normalize

import pytest

from engram.policy import analyzer
from engram.policy.normalisation import normalise
from engram.policy.solr import Solr, SolrError, create_schema
from engram.policy.solr.schema import FIELDS, STORED, analyse, decode, encode
from tests.policy.queries import documents
from tests.policy.solr.server import Server

pytestmark = [pytest.mark.solr, pytest.mark.xdist_group("solr")]

SIGNS = "aBzéß日本カタ한ัไ’'\"._,:;-01٣ \n\u202f\u00a0\u00ad_İσΣςﬁ９\U00010400\u0301\u200d"


@pytest.fixture(scope="module")
def solr(solr_node: Server) -> Iterator[Solr]:
    with Solr(solr_node.create("schema")) as solr:
        create_schema(solr)
        solr.post("/schema", {"add-field-type": STANDARD, "add-field": STANDARD_FIELD})
        yield solr


STANDARD = {
    "name": "standard_words",
    "class": "solr.TextField",
    "analyzer": {
        "tokenizer": {"name": "standard", "maxTokenLength": "255"},
        "filters": [{"name": "lowercase"}],
    },
}
STANDARD_FIELD = {"name": "standard_words", "type": "standard_words"}


def standard(solr: Solr, text: str) -> list[str]:
    """The words of a text by Lucene's own tokenizer."""
    asked = {"analysis.fieldname": "standard_words", "analysis.fieldvalue": text}
    names = solr.form("/analysis/field", **asked)["analysis"]["field_names"]
    found = names["standard_words"]
    return [normalize("NFC", token["text"]) for token in found["index"][-1]] if found else []


def both(text: str) -> list[set[str]]:
    """The two terms that Solr must have at the position of each word."""
    return [{word.stem, f"{word.stem}={word.form}"} for word in analyzer.words(text)]


def test_what_is_there_is_left_alone(solr: Solr) -> None:
    assert create_schema(solr) == []
    made = {field["name"] for field in solr.get("/schema")["schema"]["fields"]}
    assert {field["name"] for field in FIELDS} | {"id"} <= made


def test_another_definition_is_refused(solr_cloud: Server) -> None:
    with Solr(solr_cloud.create("other")) as other:
        other.post("/schema", {"add-field": {"name": "year", "type": "string"}})
        with pytest.raises(SolrError, match="has a 'year' of another kind"):
            create_schema(other)


def test_the_analyzer_is_solrs_on_text_of_all_scripts(solr: Solr) -> None:
    rng = random.Random(7)
    for length in [4] * 40 + [40] * 40 + [700] * 10:
        text = "".join(rng.choices(SIGNS, k=length))
        assert analyse(solr, text) == both(text), ascii(text)
        normal = normalise(text).text
        assert [word.form for word in analyzer.words(text)] == standard(solr, normal), ascii(text)


def test_what_looks_like_a_macro_is_text(solr: Solr) -> None:
    text = "a tax of ${year} and ${analysis.fieldname:cut}"
    assert analyse(solr, text) == both(text)


@pytest.mark.parametrize("length", [254, 255, 256, 511, 600])
def test_long_words_are_cut_alike(solr: Solr, length: int) -> None:
    for word in ("a" * length, "é" * length, "1." * length):
        for text in (word, f"{word}'s", f"x {word}s y"):
            assert analyse(solr, text) == both(text)
            assert [word.form for word in analyzer.words(text)] == standard(solr, text)


def test_a_document_survives_the_journey() -> None:
    for document in documents(seed=5, count=50):
        entry = {name: value for name, value in encode(document, 1, "").items() if name in STORED}
        assert decode(entry) == document
