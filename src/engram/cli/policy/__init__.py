"""`engram policy`: a record, taken in, asked, and related to indicators."""

from engram.cli.policy.commands import COMMANDS, SOLR_COMMANDS

__all__ = ["COMMANDS", "SOLR_COMMANDS"]
