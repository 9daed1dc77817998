"""The record in Apache Solr."""
