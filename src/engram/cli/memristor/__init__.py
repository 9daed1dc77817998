"""Devices of binary stochastic learning."""
