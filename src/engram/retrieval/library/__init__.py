"""An index of pictures on disk: incremental, checked, and searched by vectors."""

from engram.retrieval.library.duplicates import near_duplicates
from engram.retrieval.library.library import Entry, Library
from engram.retrieval.library.rehead import exchange_head
from engram.retrieval.library.update import Encoder, Head, Outcome, model_of, update

__all__ = [
    "Encoder",
    "Entry",
    "Head",
    "Library",
    "Outcome",
    "exchange_head",
    "model_of",
    "near_duplicates",
    "update",
]
