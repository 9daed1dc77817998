"""The query language: its tree, its parser, and what a query means."""
