import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engram.policy.solr import Solr, SolrError
from tests.policy.solr.server import free_port

GOOD = b'{"responseHeader": {"status": 0}, "response": {"numFound": 3}}'


@contextmanager
def serving(
    answer: Callable[[int], tuple[int, bytes]],
) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A server that gives the n-th request its answer, and the requests that came."""
    came: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            came.append((self.path, self.headers["Authorization"]))
            status, body = answer(len(came))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/solr/acts", came
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_passing_failure_is_tried_again_with_growing_waits() -> None:
    waits: list[float] = []
    statuses = {1: 500, 2: 503, 3: 429}
    with (
        serving(lambda n: (statuses.get(n, 200), GOOD)) as (url, came),
        Solr(url, backoff_s=0.5, sleep=waits.append) as solr,
    ):
        assert solr.query({"query": "*:*"})["response"] == {"numFound": 3}
    assert len(came) == 4
    assert waits == [0.5, 1.0, 2.0]


def test_a_lasting_failure_ends_after_the_attempts_and_names_the_place_and_the_remedy() -> None:
    body = b'{"error": {"msg": "no space left\\n at java...", "code": 500}}'
    with (
        serving(lambda _: (500, body)) as (url, came),
        Solr(url, attempts=3, sleep=lambda _: None) as solr,
        pytest.raises(SolrError, match="in 3 attempts: it answered 500 no space left; c") as error,
    ):
        solr.post("/update", [{"id": "a"}])
    assert len(came) == 3
    assert url in str(error.value)
    assert "ENGRAM_SOLR_URL" in str(error.value)
    assert "java" not in str(error.value)


def test_a_server_that_is_down_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}/solr/acts"
    waits: list[float] = []
    with (
        Solr(url, sleep=waits.append) as solr,
        pytest.raises(SolrError, match="check that it is running"),
    ):
        solr.get("/schema")
    assert len(waits) == 3


def test_a_server_that_stalls_is_given_up() -> None:
    enough = threading.Event()

    def stall(_: int) -> tuple[int, bytes]:
        enough.wait(20)
        return 200, GOOD

    with serving(stall) as (url, came):
        start = time.monotonic()
        with (
            Solr(url, timeout_s=0.2, attempts=2, backoff_s=0.01) as solr,
            pytest.raises(SolrError, match=r"it took too long \(ReadTimeout\)"),
        ):
            solr.query({"query": "*:*"})
        assert time.monotonic() - start < 5
        assert len(came) == 2
        enough.set()


def test_a_refusal_is_not_repeated() -> None:
    with (
        serving(lambda _: (400, b'{"error": {"msg": "undefined field"}}')) as (url, came),
        Solr(url) as solr,
        pytest.raises(SolrError, match="answered 400 and refused the request: undefined field"),
    ):
        solr.query({"query": "*:*"})
    assert len(came) == 1


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, b"", "it requires a user and password"),
        (404, b"<html>", "solr create -c acts"),
        (200, b"<html>welcome</html>", "is not Solr"),
        (200, b"[]", "is not Solr"),
        (200, b'{"responseHeader": {"partialResults": true}}', "only some of its shards"),
    ],
)
def test_each_answer_that_is_not_usable_says_what_to_do(
    status: int, body: bytes, says: str
) -> None:
    with (
        serving(lambda _: (status, body)) as (url, _),
        Solr(url) as solr,
        pytest.raises(SolrError, match=says),
    ):
        solr.query({"query": "*:*"})


def test_a_password_is_sent_and_never_shown() -> None:
    with (
        serving(lambda n: (200 if n == 1 else 403, GOOD)) as (url, came),
        Solr(url.replace("//", "//ann:s3cret@")) as solr,
    ):
        solr.get("/schema")
        assert solr.url == url
        with pytest.raises(SolrError) as refused:
            solr.get("/schema")
    assert "s3cret" not in str(refused.value)
    assert came[0][0].startswith("/solr/acts/schema")
    assert came[0][1] == "Basic YW5uOnMzY3JldA=="


@pytest.mark.parametrize(
    "url", ["", "localhost", "http://localhost:8983/solr", "ftp://a/solr/b", "http://[::1"]
)
def test_what_is_no_address_of_a_collection_is_refused(url: str) -> None:
    with pytest.raises(SolrError, match="http://localhost:8983/solr/engram"):
        Solr(url)


def test_the_environment_names_the_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGRAM_SOLR_URL", "https://example.org:99/solr/acts/")
    with Solr() as solr:
        assert (solr.url, solr.name) == ("https://example.org:99/solr/acts", "acts")
    monkeypatch.delenv("ENGRAM_SOLR_URL")
    with pytest.raises(SolrError, match="set ENGRAM_SOLR_URL"):
        Solr()


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(SolrError, match="attempts 0"):
        Solr("http://localhost:8983/solr/acts", attempts=0)
