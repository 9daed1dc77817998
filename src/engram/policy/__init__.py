"""A nation's record of political speech: store, search, count, and relate to indicators."""

from engram.policy.document import CHAMBERS, DOC_TYPES, REASONS, Document, Rejected, Rejection
from engram.policy.embedded import EmbeddedEngine
from engram.policy.engine import Context, Engine, Passage
from engram.policy.ingestion import Ingestion, InputError, ingest
from engram.policy.loader import LOADERS, TableFormat
from engram.policy.query import QueryError, parse
from engram.policy.store import Store, StoreError
from engram.policy.tally import DocumentCounts, Tally

__all__ = [
    "CHAMBERS",
    "DOC_TYPES",
    "LOADERS",
    "REASONS",
    "Context",
    "Document",
    "DocumentCounts",
    "EmbeddedEngine",
    "Engine",
    "Ingestion",
    "InputError",
    "Passage",
    "QueryError",
    "Rejected",
    "Rejection",
    "Store",
    "StoreError",
    "TableFormat",
    "Tally",
    "ingest",
    "parse",
]
