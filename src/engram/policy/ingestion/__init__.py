"""Ingestion: sources of the record into a store, in parallel and repeatable."""

from engram.data.files import InputError, shown
from engram.policy.ingestion.ingest import Ingestion, ingest
from engram.policy.ingestion.outcome import SourceOutcome
from engram.policy.ingestion.verify import Fault, Repair, repair, verify

__all__ = [
    "Fault",
    "Ingestion",
    "InputError",
    "Repair",
    "SourceOutcome",
    "ingest",
    "repair",
    "shown",
    "verify",
]
