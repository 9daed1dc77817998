"""A store in Solr: counted, repeated, and not harmed by what kills Solr meanwhile."""

import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engram.policy.embedded import EmbeddedEngine
from engram.policy.ingestion import ingest
from engram.policy.solr import Solr, SolrEngine, SolrError, push
from engram.policy.solr.push import held
from engram.policy.store import Store
from engram.progress import Step
from tests.policy.queries import WORDS
from tests.policy.solr.server import Server, missing

MODULE = sys.modules[push.__module__]  # the package has a function of its name
pytestmark = [pytest.mark.solr, pytest.mark.xdist_group("solr")]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "BATCH", 7)


def speeches(folder: Path, first: int, count: int) -> Path:
    """Files of speeches, one each on a day of its own."""
    rng = random.Random(first)
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        words = rng.choices(WORDS, k=rng.randint(1, 120))
        name = f"{1800 + number // 12}-{1 + number % 12:02}-01-speech-{number}.txt"
        (folder / name).write_text(" ".join(["The", *words]))
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of several segments, each of several requests."""
    folder = tmp_path_factory.mktemp("store")
    ingest([speeches(folder / "in", 0, 90)], folder / "store", workers=1, partition_size=9_000)
    store = Store(folder / "store")
    assert len(store.manifest.segments) > 2
    return store


@pytest.fixture
def other(tmp_path: Path) -> Store:
    """A store that holds other documents."""
    ingest([speeches(tmp_path / "in", 500, 5)], tmp_path / "store", workers=1)
    return Store(tmp_path / "store")


@pytest.fixture(params=["node", "cloud"])
def solr(request: pytest.FixtureRequest, solr_node: Server, solr_cloud: Server) -> Iterator[Solr]:
    """A collection that is empty; of the cloud, one that is still to be made."""
    name = f"push{abs(hash(request.node.name))}"
    url = solr_node.create(name) if request.param == "node" else f"{solr_cloud.url}/{name}"
    with Solr(url) as solr:
        yield solr


def totals(store: Store) -> tuple[int, int]:
    entries = store.manifest.segments
    return sum(e.documents for e in entries), sum(e.tokens for e in entries)


def test_a_push_brings_all_and_a_second_one_nothing(solr: Solr, store: Store) -> None:
    told: list[Step] = []
    first = push(store, solr, shards=2, progress=told.append)
    assert (first.documents, first.tokens) == totals(store)
    assert (first.sent, first.removed) == (90, 0)
    assert told[-1][:3] == ("documents", 90, 90)
    assert told == sorted(told)
    again = push(store, solr)
    assert (again.documents, again.sent) == (90, 0)
    embedded, served = EmbeddedEngine(store.segments()), SolrEngine(solr)
    for query in ("the", '"the {tax, cut}"', "tax* NEAR/4 cut", "NOT rais*"):
        assert served.context(query) == embedded.context(query)
    embedded.close()


def test_solr_itself_counts_as_many_terms_as_the_store(solr_node: Server, store: Store) -> None:
    with Solr(solr_node.create("terms")) as solr:
        push(store, solr)
        answer = solr.query({"query": "*:*", "limit": 1, "fields": ["total:sttf(terms)"]})
    assert answer["response"]["docs"][0]["total"] == 2 * totals(store)[1]  # stems and forms


def test_a_segment_that_is_there_in_part_is_sent_again(solr: Solr, store: Store) -> None:
    push(store, solr, shards=2)
    lost = SolrEngine(solr).search("the", limit=4).ids
    solr.post("/update", {"delete": list(lost)}, commit="true")
    found = push(store, solr)
    assert 0 < found.sent < 90
    assert sum(entry.documents for entry in held(solr).values()) == 90


def test_other_documents_are_told_and_pruned_if_wanted(
    solr: Solr, store: Store, other: Store
) -> None:
    push(other, solr)
    solr.post("/update", [{"id": "a stranger"}])
    with pytest.raises(SolrError, match="6 documents that are not in the store; nothing was sent"):
        push(store, solr)
    assert sum(entry.documents for entry in held(solr).values()) == 6
    pruned = push(store, solr, prune=True)
    assert (pruned.documents, pruned.sent, pruned.removed) == (90, 90, 6)


def test_a_push_replaces_what_is_new_and_removes_what_is_gone(
    solr_node: Server, tmp_path: Path
) -> None:
    folder = speeches(tmp_path / "in", 0, 12)
    ingest([folder], tmp_path / "store", workers=1)
    with Solr(solr_node.create("replaced")) as solr:
        push(Store(tmp_path / "store"), solr)
        changed, gone = sorted(folder.iterdir())[:2]
        changed.write_text("A tariff, and nothing but the tariff.")
        gone.unlink()
        ingest([folder], tmp_path / "store", workers=1, prune=True)
        found = push(Store(tmp_path / "store"), solr)
        assert (found.documents, found.removed) == (11, 1)
        served = SolrEngine(solr)
        assert served.tally("tariff NEAR/9 nothing", None).occurrences.tolist() == [2]
        embedded = EmbeddedEngine(Store(tmp_path / "store").segments())
        for query in ("the", "tax", "tariff"):
            assert served.context(query) == embedded.context(query)
        embedded.close()


def test_a_loss_that_solr_does_not_tell_is_found(
    solr_node: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Solr.post

    def forgetful(self: Solr, path: str, body: list[object], **params: str) -> dict[str, object]:
        return send(self, path, body[:-1] if path == "/update" else body, **params)

    monkeypatch.setattr(Solr, "post", forgetful)
    with (
        Solr(solr_node.create("forgetful"), sleep=lambda _: None) as solr,
        pytest.raises(SolrError, match=r"holds \d+ documents of .* but the store 90 documents"),
    ):
        push(store, solr)


def test_commits_that_solr_passes_over_are_tried_again(
    solr_node: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, waits = Solr.get, []

    def busy(self: Solr, path: str, **params: str) -> dict[str, object]:
        if path == "/update" and len(waits) < 3:
            return {}
        return get(self, path, **params)

    monkeypatch.setattr(Solr, "get", busy)
    with Solr(solr_node.create("busy"), sleep=waits.append) as solr:
        assert push(store, solr).documents == 90
    assert waits == [0.25, 0.5, 1.0]


def test_a_solr_that_analyses_otherwise_is_refused(
    solr_node: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MODULE, "analyse", lambda *_: ["else"])
    with (
        Solr(solr_node.create("otherwise")) as solr,
        pytest.raises(SolrError, match="makes other terms"),
    ):
        push(store, solr)


def test_a_missing_core_is_told_with_its_remedy(solr_node: Server, store: Store) -> None:
    with (
        Solr(f"{solr_node.url}/nowhere") as solr,
        pytest.raises(SolrError, match="solr create -c nowhere"),
    ):
        push(store, solr)


def test_a_solr_killed_in_the_middle_of_a_push(tmp_path: Path, store: Store) -> None:
    if reason := missing():
        pytest.skip(reason)
    with Server(tmp_path / "home") as server:
        with Solr(server.create("killed"), backoff_s=0.01) as solr:

            def kill(step: Step) -> None:
                if step.done > 40:
                    server.stop(signal.SIGKILL)

            with pytest.raises(SolrError, match="did not answer in 4 attempts"):
                push(store, solr, progress=kill)
        server.start()
        with Solr(f"{server.url}/killed") as solr:  # it replays its log, and commits wait
            push(store, solr)
            found = held(solr)
        assert found == {e.sha256: (e.documents, e.tokens) for e in store.manifest.segments}
