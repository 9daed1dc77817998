"""What a package exports: every name is there, is documented, and nothing else is re-exported."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import engram

ROOT = Path(engram.__file__).parent
PACKAGES = [
    ".".join(("engram", *path.parent.relative_to(ROOT).parts))
    for path in sorted(ROOT.rglob("__init__.py"))
    if "__all__" in path.read_text()
]


def imported(package: str) -> set[str]:
    """What the `__init__` of a package imports from its modules, other than modules."""
    module = import_module(package)
    names = {
        alias.asname or alias.name
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return {name for name in names if not inspect.ismodule(getattr(module, name))}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_exported_is_what_is_imported(package: str) -> None:
    module = import_module(package)
    defined = {name for name in module.__all__ if name not in imported(package)}
    assert imported(package) <= set(module.__all__)
    assert all(hasattr(module, name) for name in defined)
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_exported_is_documented(package: str) -> None:
    module = import_module(package)
    assert module.__doc__
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{package}.{name}"


def test_the_packages_have_been_found() -> None:
    assert {"engram.neuron", "engram.vision", "engram.policy", "engram.report"} <= set(PACKAGES)
