"""The commands by name."""

from engram.cli.policy.answers import Compare, Query, ShowContext, ShowCoverage
from engram.cli.policy.checking import ShowDoubles, Verify
from engram.cli.policy.keeping import Ingest, PushToSolr, ShowSources
from engram.cli.policy.writing import Export, Relate

COMMANDS: dict[str, type] = {
    "ingest": Ingest,
    "sources": ShowSources,
    "verify": Verify,
    "doubles": ShowDoubles,
    "coverage": ShowCoverage,
    "query": Query,
    "context": ShowContext,
    "compare": Compare,
    "relate": Relate,
    "export": Export,
}
"""Commands of `engram policy`."""

SOLR_COMMANDS: dict[str, type] = {"push": PushToSolr}
"""Commands of `engram policy solr`."""
