"""Ingestion: sources of the record into a store, in parallel, and again without harm."""

from engram.policy.ingestion.entries import shown
from engram.policy.ingestion.ingest import Ingestion, SourceOutcome, ingest
from engram.policy.ingestion.inputs import InputError

__all__ = ["Ingestion", "InputError", "SourceOutcome", "ingest", "shown"]
