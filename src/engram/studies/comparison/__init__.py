"""Comparisons: contenders that are trained from several seeds, and how accurate they are."""
