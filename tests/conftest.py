"""Checks the array shapes that the signatures promise, for every test."""

from jaxtyping import install_import_hook

install_import_hook("engram.neuron.functional", "beartype.beartype")
