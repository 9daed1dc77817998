"""Checks the array shapes that the signatures promise, for every test."""

from jaxtyping import install_import_hook

MODULES = ["delay", "dilated", "fixed_point", "functional", "pmsn", "recurrence", "resonate"]

install_import_hook([f"engram.neuron.{name}" for name in MODULES], "beartype.beartype")
