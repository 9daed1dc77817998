import hashlib
import multiprocessing
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engram.data import DataError, RemoteFile
from engram.data.download import download
from engram.progress import Step

CONTENT = bytes(range(256)) * 2000
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; the server's settings say how badly, and its log what was asked for."""

    server: "Server"  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.log.append((self.path, wanted))
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
        elif self.path != "/file":
            self.send_error(404)
        elif wanted and self.server.ranges and start >= len(CONTENT):
            self.send_error(416)
        else:
            self.send_content(start if self.server.ranges else 0)

    def send_content(self, start):
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if self.server.announces:
            self.send_header("Content-Length", str(len(CONTENT) - start))
        if self.server.encoding:
            self.send_header("Content-Encoding", self.server.encoding)
        self.end_headers()
        self.wfile.write(CONTENT[start : self.server.breaks_at])

    def log_message(self, format, *args):
        pass


class Server(ThreadingHTTPServer):
    ranges = True
    announces = True
    encoding = ""
    breaks_at = len(CONTENT)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.log = []

    def remote(self, path="/file", sha256=SHA256, size=SIZE):
        return RemoteFile("data.bin", f"http://127.0.0.1:{self.server_port}{path}", sha256, size)


@contextmanager
def serving():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache" / "set"


def leave_part(folder, content):
    folder.mkdir(parents=True)
    (folder / "data.bin.part").write_bytes(content)


def is_clean(folder):
    return not (folder / "data.bin.part").exists() and (folder / "data.bin").exists()


@pytest.mark.parametrize("path", ["/file", "/moved"])
@pytest.mark.parametrize("encoding", ["", "gzip"])
@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_file_arrives_as_it_was_published(server, folder, path, encoding, size):
    server.encoding = encoding
    target = download(server.remote(path, size=size), folder)
    assert target == folder / "data.bin"
    assert target.read_bytes() == CONTENT
    assert is_clean(folder)


def test_what_is_here_is_not_asked_for(server, folder):
    download(server.remote(), folder)
    download(server.remote(), folder)
    assert len(server.log) == 1


def test_progress_counts_to_the_end(server, folder):
    steps = []
    download(server.remote(size=None), folder, steps.append)
    assert steps[-1] == Step("data.bin", len(CONTENT), len(CONTENT), "bytes")
    assert [step.done for step in steps] == sorted(step.done for step in steps)


def test_an_interrupted_download_is_resumed(server, folder):
    server.breaks_at = 100_000
    with pytest.raises(DataError, match="could not be downloaded"):
        download(server.remote(), folder)
    assert not (folder / "data.bin").exists()
    server.breaks_at = len(CONTENT)
    assert download(server.remote(), folder).read_bytes() == CONTENT
    assert server.log[1] == ("/file", "bytes=100000-")
    assert is_clean(folder)


def test_a_silent_interruption_is_noticed(server, folder):
    server.announces, server.breaks_at = False, 100_000
    with pytest.raises(DataError, match="stopped at 100,000 of 512,000 bytes"):
        download(server.remote(), folder)
    server.breaks_at = len(CONTENT)
    assert download(server.remote(), folder).read_bytes() == CONTENT
    assert server.log[1] == ("/file", "bytes=100000-")


def test_a_server_without_ranges_starts_again(server, folder):
    server.ranges = False
    leave_part(folder, b"what an earlier attempt left")
    assert download(server.remote(), folder).read_bytes() == CONTENT


def test_a_whole_part_is_not_asked_for_again(server, folder):
    leave_part(folder, CONTENT)
    assert download(server.remote(), folder).read_bytes() == CONTENT
    assert server.log == []


@pytest.mark.parametrize("left", [CONTENT, CONTENT + b"more", b"x" * len(CONTENT)])
def test_a_refused_range_starts_again(server, folder, left):
    leave_part(folder, left)
    assert download(server.remote(size=None), folder).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.log] == [f"bytes={len(left)}-", None]


@pytest.mark.parametrize("left", [b"", b"not the file's first bytes"])
def test_another_hash_deletes_what_came(server, folder, left):
    leave_part(folder, left)
    remote = server.remote(sha256="0" * 64)
    with pytest.raises(DataError, match=r"has sha256 .* not 0{64}: .* try again"):
        download(remote, folder)
    assert not any(file.name.startswith("data.bin.p") for file in folder.iterdir())
    assert not (folder / "data.bin").exists()


def test_a_missing_page_is_named(server, folder):
    with pytest.raises(DataError, match=r"/nowhere could not be downloaded: .*404") as caught:
        download(server.remote("/nowhere"), folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "data.bin").exists()


def test_two_processes_fetch_it_once(server, folder):
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=download, args=(server.remote(), folder)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert (folder / "data.bin").read_bytes() == CONTENT
    assert len(server.log) == 1
