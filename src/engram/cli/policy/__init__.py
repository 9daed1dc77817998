"""A nation's record: ingest, query, relate to indicators."""
