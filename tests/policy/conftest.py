"""A real Solr, one node and a cloud, each started once and only where it is asked for."""

from collections.abc import Iterator

import pytest

from tests.policy.solr.server import Server, missing


def _served(folder: pytest.TempPathFactory, cloud: bool) -> Iterator[Server]:
    if reason := missing():
        pytest.skip(reason)
    with Server(folder.mktemp("solr") / "home", cloud) as server:
        yield server


@pytest.fixture(scope="session")
def solr_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A single node."""
    yield from _served(tmp_path_factory, cloud=False)


@pytest.fixture(scope="session")
def solr_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A cloud of one node, whose collections can have several shards."""
    yield from _served(tmp_path_factory, cloud=True)
