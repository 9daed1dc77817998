"""Shares the cores among the test processes; checks the array shapes that signatures promise."""

import os
import sys
from collections.abc import Iterator

import fsspec
import jaxtyping
import pytest
from hypothesis import settings

from tests.shapes import annotated_modules

# threads of two processes that wait for each other on one core cost minutes; torch reads this once
processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if processes > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))

jaxtyping.install_import_hook(annotated_modules(), "tests.shapes.check")

settings.register_profile("engram", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("engram")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of real data where there is none."""
    if not os.environ.get("ENGRAM_DATA"):
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(pytest.mark.skip("ENGRAM_DATA names no data"))


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same weights whatever ran before; tests that never load torch do not load it here."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture
def without_shape_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what a function itself says of a wrong shape, and for torch.compile."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of one S3 server for all the tests of this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> fsspec.AbstractFileSystem:
    """A file system on the server, which code under test finds by its environment."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    # fsspec keeps an instance per set of arguments, and the address is not among them
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    return fsspec.filesystem("s3")
