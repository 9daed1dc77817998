"""The nation's record as a policy instrument: store, search, count, and relate with honesty."""

from engram.policy.document import CHAMBERS, DOC_TYPES, REASONS, Document, Rejected, Rejection
from engram.policy.ingest import Ingestion, ingest
from engram.policy.inputs import InputError
from engram.policy.loader import LOADERS
from engram.policy.store import Store, StoreError

__all__ = [
    "CHAMBERS",
    "DOC_TYPES",
    "LOADERS",
    "REASONS",
    "Document",
    "Ingestion",
    "InputError",
    "Rejected",
    "Rejection",
    "Store",
    "StoreError",
    "ingest",
]
