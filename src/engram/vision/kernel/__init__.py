"""Batch norm, batch norm with LIF, and whole numbers, compiled for the CPU."""
