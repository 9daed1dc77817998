"""A real Solr for the tests: started on a free port, stopped at the end."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

import httpx

ROOT = Path(__file__).parents[3]
HOME = Path(os.environ.get("ENGRAM_SOLR_HOME", ROOT.parent / "shared" / "solr"))
PATIENCE_S = 90


def missing() -> str | None:
    """Why there is no Solr here, or None if there is one."""
    if not (HOME / "run").is_file():
        return f"{HOME} holds no Solr; set ENGRAM_SOLR_HOME to a folder that does"
    if shutil.which("java") is None:
        return "java is missing; install Java 17 or newer"
    return None


class Server:
    """One Solr node in a folder that survives it; a context manager that starts and stops it."""

    def __init__(self, folder: Path, cloud: bool = False) -> None:
        self.folder, self.cloud, self.port = folder, cloud, free_port()
        self.url = f"http://127.0.0.1:{self.port}/solr"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGTERM)

    def start(self) -> None:
        command = ["bash", HOME / "run", self.folder, str(self.port)]
        log = self.folder.with_suffix(".log")
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "embedded"] if self.cloud else command,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + PATIENCE_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop(signal.SIGKILL)
                raise RuntimeError(f"Solr did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)

    def stop(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_S)
            self._process = None

    def create(self, name: str, shards: int = 1) -> str:
        """Make a core, or a collection of so many shards, and return its address."""
        if self.cloud:
            path = "collections"
            params = {"name": name, "numShards": shards, "collection.configName": "_default"}
        else:
            path, params = "cores", {"name": name, "configSet": "_default"}
        made = httpx.get(
            f"{self.url}/admin/{path}", params={"action": "CREATE", **params}, timeout=PATIENCE_S
        )
        assert made.status_code == 200, made.text
        return f"{self.url}/{name}"

    def _ready(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/admin/info/system", timeout=5)
        except httpx.TransportError:
            return False
        return answer.status_code == 200


def free_port() -> int:
    """A port that is free, as is the one for ZooKeeper, 1000 above."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1000))
            except (OSError, OverflowError):
                continue
            return port
