"""The shapes that signatures promise are checked wherever they are promised."""

import inspect
import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, get_args

import pytest
import torch
from jaxtyping import AbstractArray, TypeCheckError

import engram
from tests.shapes import annotated_modules

NAMES = [
    module.name
    for module in pkgutil.walk_packages(engram.__path__, "engram.")
    if not module.name.endswith("_gpu")  # needs Triton
]


def has_shape(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(has_shape(part) for part in get_args(hint))


def hints(module: Any) -> Iterator[Any]:
    """The annotations of the functions, the classes and their methods that a module defines."""
    for value in vars(module).values():
        if getattr(value, "__module__", None) == module.__name__:
            members = vars(value).values() if inspect.isclass(value) else ()
            for one in (value, *members):
                yield from (
                    inspect.get_annotations(inspect.unwrap(one)).values()
                    if (inspect.isclass(one) or inspect.isfunction(one))
                    else ()
                )


def test_every_module_with_shapes_in_its_signatures_is_checked() -> None:
    modules = [import_module(name) for name in NAMES]
    carrying = {module.__name__ for module in modules if any(map(has_shape, hints(module)))}
    assert len(carrying) > 10
    assert carrying <= set(annotated_modules())


@pytest.mark.parametrize("name", annotated_modules())
def test_an_annotated_module_is_loaded_by_the_checker(name: str) -> None:
    import_module(name)
    assert type(sys.modules[name].__loader__).__module__.startswith("jaxtyping")


def test_a_wrong_shape_is_refused_on_every_floor() -> None:
    from engram.neuron.lengths import last_step
    from engram.train.examples import time_first
    from engram.vision.attention import attend

    x, rows = torch.zeros(4, 2, 3), torch.zeros(2, 1, dtype=torch.int64)
    with pytest.raises(TypeCheckError):
        time_first(x, rows)
    with pytest.raises(TypeCheckError):
        last_step(x, rows[:, 0].repeat(2))
    with pytest.raises(TypeCheckError):
        attend(x, x, x, heads=1, scale=1.0)
