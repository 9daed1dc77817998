"""Batch norm, batch norm with LIF, and integer convolutions, compiled for the CPU."""
