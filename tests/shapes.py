"""Which modules annotate the shapes of arrays, and the checker that their calls go through."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from beartype import beartype

SOURCES = Path(__file__).parents[1] / "src"


def annotated_modules() -> list[str]:
    """The modules that import jaxtyping."""
    return [
        ".".join(file.relative_to(SOURCES).with_suffix("").parts)
        for file in sorted(SOURCES.rglob("*.py"))
        if re.search(r"^(from|import) jaxtyping\b", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """beartype, but for protocols of attributes: those of a torch module are no class attributes.

    `function` is a stand-in that jaxtyping makes for a signature.
    """
    for name, hint in function.__annotations__.items():
        if getattr(hint, "_is_protocol", False) and not getattr(
            hint, "_is_runtime_protocol", False
        ):
            function.__annotations__[name] = Any
    return beartype(function)
