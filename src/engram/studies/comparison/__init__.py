"""Comparisons of contenders trained from several seeds, by accuracy."""
