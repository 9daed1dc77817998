"""The analyzer against Solr's own, on the speeches of the presidents."""

import os
import tarfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from engram.policy import analyzer
from engram.policy.solr import Solr, create_schema
from engram.policy.solr.schema import TERMS, analyse, exact
from tests.policy.solr.server import Server

ARCHIVE = Path(os.environ.get("ENGRAM_DATA", "")) / "policy" / "presidential-speeches.tar.xz"

pytestmark = [
    pytest.mark.solr,
    pytest.mark.data,
    pytest.mark.xdist_group("solr"),
    pytest.mark.skipif(not ARCHIVE.is_file(), reason="ENGRAM_DATA names no speeches"),
]


def texts() -> Iterator[str]:
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".txt"):
                yield archive.extractfile(member).read().decode()  # pyright: ignore


def test_a_sample_of_the_speeches_has_the_same_terms(solr_node: Server) -> None:
    compared = 0
    with Solr(solr_node.create("sample")) as solr:
        create_schema(solr)
        for text in islice(texts(), 7, None, 150):
            words = analyzer.words(text)
            assert [{word.stem, exact(word)} for word in words] == analyse(solr, text)
            compared += len(words)
    assert compared > 20_000


@pytest.mark.slow
def test_the_index_of_all_speeches_has_the_same_terms_as_often(solr_node: Server) -> None:
    expected: Counter[str] = Counter()
    with Solr(solr_node.create("speeches")) as solr:
        create_schema(solr)
        for number, text in enumerate(texts()):
            words = analyzer.words(text)
            expected.update(word.stem for word in words)
            expected.update(map(exact, words))
            solr.post("/update", [{"id": str(number), TERMS: " ".join(map(exact, words))}])
        solr.get("/update", commit="true")
        asked = {"terms.fl": TERMS, "terms.limit": -1, "terms.ttf": "true"}
        found = solr.get("/terms", **asked)["terms"][TERMS]
    counts = {term: entry["ttf"] for term, entry in zip(found[::2], found[1::2], strict=True)}
    assert counts == expected
    assert expected.total() > 8_000_000
