"""Checks the array shapes that the signatures promise; grants the time that compiling takes."""

from hypothesis import settings
from jaxtyping import install_import_hook

from tests.shapes import annotated_modules

install_import_hook(annotated_modules(), "tests.shapes.check")

settings.register_profile("engram", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("engram")
