"""`engram policy`: ingest a record, query it, and relate it to indicators."""

from engram.cli.policy.commands import COMMANDS, SOLR_COMMANDS
from engram.cli.policy.words import repeat_options

__all__ = ["COMMANDS", "SOLR_COMMANDS", "repeat_options"]
