"""A record in Apache Solr 9, one node or a cloud: schema, push, and queries with equal counts."""

from engram.policy.solr.client import Solr, SolrError
from engram.policy.solr.engine import SolrEngine
from engram.policy.solr.push import Pushed, push
from engram.policy.solr.schema import create_collection, create_schema

__all__ = [
    "Pushed",
    "Solr",
    "SolrEngine",
    "SolrError",
    "create_collection",
    "create_schema",
    "push",
]
