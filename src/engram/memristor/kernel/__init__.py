"""Comparators with counter-based noise, compiled."""
