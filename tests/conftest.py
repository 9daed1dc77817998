"""Checks the array shapes that the signatures promise; grants the time that compiling takes."""

import sys

import jaxtyping
import pytest
from hypothesis import settings

from tests.shapes import annotated_modules

jaxtyping.install_import_hook(annotated_modules(), "tests.shapes.check")

settings.register_profile("engram", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("engram")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same weights whatever ran before; tests that never load torch do not load it here."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture
def without_shape_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what a function itself says of a wrong shape, and for torch.compile."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
