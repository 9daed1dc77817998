"""Solr: a collection on a Solr server, one node or a cloud of shards, over HTTP."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self

import httpx

from engram.errors import EngramError

VARIABLE: Final = "ENGRAM_SOLR_URL"
"""Environment variable that names the collection to use."""

EXAMPLE: Final = "http://localhost:8983/solr/engram"

_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""Transient statuses, after which the request is sent again."""

_LITERAL = {"expandMacros": "false"}
"""Keeps Solr from replacing ${NAME} in values of parameters, which are words of a user."""


class SolrError(EngramError):
    """Solr could not be reached, refused a request, or gave an unusable answer.

    Args:
        message: What went wrong, where, and what to do.
        status: The HTTP status with which Solr refused, if any.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Solr:
    """One collection (or core) of a Solr server; a context manager that closes its connections.

    Every request is sent at most `attempts` times: it is repeated after a lost or stalled
    connection and after transient statuses, after a wait of `backoff_s` that doubles each time.
    This is safe because all requests of Engram are idempotent: queries, and documents with a
    unique id.

    Args:
        url: Address of the collection, such as http://localhost:8983/solr/engram; it may contain a
            user and password. None reads ENGRAM_SOLR_URL.
        timeout_s: How long to wait for an answer, in seconds.
        attempts: Maximum number of times a request is sent.
        backoff_s: The wait before the second attempt, in seconds.
        sleep: The function that waits.

    Raises:
        SolrError: If there is no address, it is not the address of a collection, or a number is
            out of range.
    """

    def __init__(
        self,
        url: str | None = None,
        timeout_s: float = 60.0,
        attempts: int = 4,
        backoff_s: float = 0.25,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if timeout_s <= 0 or attempts < 1 or backoff_s < 0:
            raise SolrError(
                f"timeout_s is {timeout_s}, attempts {attempts}, backoff_s {backoff_s}; "
                "give a time above 0, at least 1 attempt, and a wait of 0 or more"
            )
        parsed = _collection(os.environ.get(VARIABLE, "") if url is None else url)
        self.url = str(parsed.copy_with(username=None, password=None))
        """The address, without user and password."""
        self.server, _, self.name = self.url.rpartition("/")
        self._attempts, self._backoff_s, self._sleep = attempts, backoff_s, sleep
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 5.0)),
            auth=(parsed.username, parsed.password) if parsed.userinfo else None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def wait(self, attempt: int) -> None:
        """Wait before another attempt: the first time `backoff_s`, then twice as long each time.

        Args:
            attempt: Number of attempts so far.
        """
        self._sleep(self._backoff_s * 2 ** (attempt - 1))

    def get(self, path: str, **params: str | int) -> dict[str, Any]:
        """Send a GET request to a handler of the collection.

        Args:
            path: Path below the collection, such as "/schema".
            params: Parameters of the request.

        Returns:
            The answer.

        Raises:
            SolrError: If Solr cannot be reached or refuses, after the attempts.
        """
        return self._ask("GET", self.url + path, params)

    def post(self, path: str, body: Any, **params: str | int) -> dict[str, Any]:
        """Send JSON to a handler of the collection; see `get`.

        Args:
            path: Path below the collection, such as "/update".
            body: A JSON-compatible value.
            params: Parameters of the request.
        """
        content = json.dumps(body)  # all in ASCII, so that a lone surrogate is not an error
        headers = {"Content-Type": "application/json"}
        return self._ask("POST", self.url + path, params, content=content, headers=headers)

    def form(self, path: str, **params: str | int) -> dict[str, Any]:
        """Send parameters that are too long for a URL; see `get`.

        Args:
            path: Path below the collection, such as "/analysis/field".
            params: Parameters of the request.
        """
        return self._ask("POST", self.url + path, {}, data=params)

    def admin(self, path: str, **params: str | int) -> dict[str, Any]:
        """Send a GET request to a handler of the server; see `get`.

        Args:
            path: Path below the server, such as "/admin/info/system".
            params: Parameters of the request.
        """
        return self._ask("GET", self.server + path, params)

    def query(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Request documents and facets by the JSON request API.

        Returns:
            The answer, which covers all shards.

        Raises:
            SolrError: If Solr cannot be reached or refuses, or only some shards answered.
        """
        answer = self.post("/query", body)
        if answer["responseHeader"].get("partialResults"):
            raise SolrError(
                f"Solr at {self.url} counted only some of its shards; ask again, and look at the "
                "state of its nodes"
            )
        return answer

    def stream(self, body: Mapping[str, Any], rows: int) -> Iterator[dict[str, Any]]:
        """Yield all documents that a request finds, page by page.

        Args:
            body: The request; its sort ends with the id.
            rows: Documents per page.

        Yields:
            The documents, in the order of the sort.
        """
        mark, params = "*", body.get("params", {})
        while True:
            page = {**body, "limit": rows, "params": {**params, "cursorMark": mark}}
            answer = self.query(page)
            documents = answer["response"]["docs"]
            yield from documents
            if len(documents) < rows:
                return
            mark = answer["nextCursorMark"]

    def _ask(
        self, method: str, url: str, params: Mapping[str, str | int], **content: Any
    ) -> dict[str, Any]:
        params = {**params, **_LITERAL}
        reason = ""
        for attempt in range(self._attempts):
            if attempt:
                self.wait(attempt)
            try:
                response = self._http.request(method, url, params=params, **content)
            except httpx.TransportError as error:
                reason = _words(error)
                continue
            if response.status_code not in _AGAIN:
                return self._read(response, url)
            reason = f"it answered {response.status_code} {_message(response)}".rstrip()
        raise SolrError(
            f"Solr at {url} did not answer in {self._attempts} attempts: {reason}; check that it "
            f"is running and healthy, or name another with {VARIABLE} (such as {EXAMPLE})"
        )

    def _read(self, response: httpx.Response, url: str) -> dict[str, Any]:
        if response.status_code != 200:
            raise SolrError(self._refusal(response, url), response.status_code)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or "responseHeader" not in answer:
            raise SolrError(
                f"the server at {url} is not Solr; give the address of a collection, such as "
                f"{EXAMPLE}"
            )
        return answer

    def _refusal(self, response: httpx.Response, url: str) -> str:
        status = response.status_code
        answered = f"Solr at {url} answered {status}"
        if status in (401, 403):
            return (
                f"{answered}: it requires a user and password; put them into the address, "
                "http://USER:PASSWORD@HOST:8983/solr/COLLECTION"
            )
        if status == 404:
            return (
                f"{answered}: is there a collection {self.name!r}? Make it with "
                f"`solr create -c {self.name}`, or name another with {VARIABLE}"
            )
        return f"{answered} and refused the request: {_message(response) or 'no reason given'}"


def _collection(url: str) -> httpx.URL:
    if not url:
        raise SolrError(
            f"no Solr server is named; set {VARIABLE} or give an address, such as {EXAMPLE}"
        )
    try:
        parsed = httpx.URL(url.rstrip("/"))
    except (httpx.InvalidURL, UnicodeError) as error:
        raise SolrError(
            f"{url!r} is not a valid address ({error}); give one such as {EXAMPLE}"
        ) from None
    parts = [part for part in parsed.path.split("/") if part]
    if parsed.scheme not in ("http", "https") or not parsed.host or len(parts) < 2:
        raise SolrError(
            f"{str(parsed.copy_with(username=None, password=None))!r} is not the address of a "
            f"collection; give one such as {EXAMPLE}"
        )
    return parsed.copy_with(query=None, fragment=None)


def _words(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"it took too long ({type(error).__name__})"
    return str(error) or type(error).__name__


def _message(response: httpx.Response) -> str:
    """The first line of the reason that Solr gives."""
    try:
        error = response.json()["error"]
        message = error.get("msg") or error.get("trace", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        message = response.text if "html" not in response.headers.get("content-type", "") else ""
    return message.strip().partition("\n")[0][:300]
