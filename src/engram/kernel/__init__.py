"""Kernels: how they are compiled and launched, and their random numbers."""
