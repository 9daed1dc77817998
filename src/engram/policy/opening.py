"""Open the engine that answers queries on a record."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Literal, TypeAlias

from engram.policy.embedded import EmbeddedEngine
from engram.policy.engine import Engine
from engram.policy.store import Store

EngineName: TypeAlias = Literal["embedded", "solr"]


@contextmanager
def open_engine(
    store: str, engine: EngineName = "embedded", solr_url: str | None = None
) -> Iterator[Engine]:
    """Open the engine of a record.

    Args:
        store: Folder or s3:// URL of the store, which the embedded engine reads.
        engine: The store itself, or Solr as filled by `push`.
        solr_url: Address of the Solr collection; None uses ENGRAM_SOLR_URL.

    Yields:
        The engine, which is closed after the block.

    Raises:
        ValueError: If the store or Solr cannot be read.
    """
    if engine == "solr":
        from engram.policy.solr import Solr, SolrEngine

        with Solr(solr_url) as solr:
            yield SolrEngine(solr)
        return
    opened = Store(store)
    with closing(EmbeddedEngine(opened.segments(), notes=opened.manifest.notes())) as embedded:
        yield embedded
