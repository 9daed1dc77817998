"""A small record with many gaps, in segments and, where there is one, in Solr."""

from collections.abc import Iterator

import pytest

from engram.policy import analyzer, segment
from engram.policy.document import searched
from engram.policy.embedded import EmbeddedEngine
from engram.policy.engine import Engine
from engram.policy.solr import Solr, SolrEngine, create_schema
from engram.policy.solr.schema import encode
from tests.policy.brute import BruteForce
from tests.policy.queries import documents

DOCUMENTS = documents(seed=3, count=150)


@pytest.fixture(scope="session")
def brute() -> BruteForce:
    """What counts by the definition."""
    return BruteForce(DOCUMENTS)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The embedded engine over two segments."""
    folder = tmp_path_factory.mktemp("segments")
    for i, part in enumerate((DOCUMENTS[:40], DOCUMENTS[40:])):
        segment.write(folder / f"{i}.sqlite", part)
    engine = EmbeddedEngine(sorted(folder.glob("*.sqlite")))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def served(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Solr."""
    with Solr(request.getfixturevalue("solr_node").create("measured")) as solr:
        create_schema(solr)
        sizes = [len(analyzer.terms(searched(document))) for document in DOCUMENTS]
        entries = [encode(one, size, "") for one, size in zip(DOCUMENTS, sizes, strict=True)]
        solr.post("/update", entries, commit="true")
        yield SolrEngine(solr)


SOLR = pytest.param("served", marks=[pytest.mark.solr, pytest.mark.xdist_group("solr")])


@pytest.fixture(params=["embedded", SOLR])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Either engine."""
    return request.getfixturevalue(request.param)
