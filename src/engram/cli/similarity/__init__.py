"""Similarity with recorded neurons."""
