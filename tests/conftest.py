"""Checks the array shapes that the signatures promise; grants the time that compiling takes."""

from hypothesis import settings
from jaxtyping import install_import_hook

MODULES = ["delay", "dilated", "fixed_point", "functional", "pmsn", "recurrence", "resonate"]

HOOKED = [*(f"engram.neuron.{name}" for name in MODULES), "engram.energy.functional"]

install_import_hook(HOOKED, "beartype.beartype")

settings.register_profile("engram", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("engram")
