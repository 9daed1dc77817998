"""How each operator of torch that sums products is counted."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engram.energy.functional import (
    Products,
    Window,
    band_products,
    convolution_products,
    matmul_products,
)


class Part(NamedTuple):
    """A sum of products, as an operator ran it."""

    operator: str
    left: Tensor
    right: Tensor
    products: Products
    biases: int = 0


DYNAMICS, OUTER = "dynamics", "outer"
Rule = Callable[[Sequence[Any], Any], Part | None]


def _convolution(args: Sequence[Any], out: Tensor) -> Part:
    x, weight, bias, stride, padding, dilation, transposed, _, groups = args
    dims = weight.ndim - 2
    sides = ([*side] * dims if len(side) == 1 else [*side] for side in (stride, padding, dilation))
    products = convolution_products(
        x, weight, out.shape[2:], Window(*sides), groups=groups, transposed=transposed
    )
    return Part("convolution", x, weight, products, out.numel() if bias is not None else 0)


def _product(first: int) -> Rule:
    """The rule of an operator whose factors are its arguments from `first` on."""

    def rule(args: Sequence[Any], out: Tensor) -> Part:
        left, right = args[first : first + 2]
        a = left[None] if left.ndim == 1 else left
        b = right[:, None] if right.ndim == 1 else right
        products = matmul_products(a, b)
        return Part("matmul", left, right, products, out.numel() if first else 0)

    return rule


def _outer(args: Sequence[Any], out: Tensor) -> Part | None:
    """An elementwise product that is larger than its factors is a matrix product written out."""
    left, right = args[:2]
    if not isinstance(right, Tensor) or out.numel() <= max(left.numel(), right.numel()):
        return None
    products = Products(out.numel(), out.numel(), int(torch.count_nonzero(out)))
    return Part(OUTER, left, right, products)


def _neurons(args: Sequence[Any], _out: Any) -> Part:
    x, weight, _, steps, k, *_ = args
    products = band_products(steps, x.shape[0], x.shape[1:].numel(), k)
    return Part(DYNAMICS, x, weight, products)


RULES: dict[str, Rule] = {
    "aten::convolution": _convolution,
    "aten::mm": _product(0),
    "aten::bmm": _product(0),
    "aten::mv": _product(0),
    "aten::dot": _product(0),
    "aten::vdot": _product(0),
    "aten::addmm": _product(1),
    "aten::_addmm_activation": _product(1),
    "aten::addmv": _product(1),
    "aten::baddbmm": _product(1),
    "aten::addbmm": _product(1),
    "aten::mul": _outer,
    "engram::psn": _neurons,
}
"""The operators that sum products, and how to count each."""
