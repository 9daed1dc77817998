"""Counting rules of the torch operators that sum products, and the arguments of operators."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from engram.energy.functional import (
    Products,
    Window,
    band_products,
    convolution_products,
    matmul_products,
)
from engram.neuron.kernel import psn


class Part(NamedTuple):
    """The products of an operator call.

    Attributes:
        operator: As in `Operation`.
        left: The left operand; a complex one has an additional last axis of real and imaginary
            parts.
        right: The right operand, likewise.
        products: Numbers of products.
        factors: The operands as read by the operator.
        biases: Number of additions of a bias.
        summed: Whether the operator sums the products; one that does not may be a scale or a gate.
    """

    operator: str
    left: Tensor
    right: Tensor
    products: Products
    factors: tuple[Tensor, Tensor]
    biases: int = 0
    summed: bool = True


DYNAMICS, OUTER, PRODUCT = "dynamics", "outer", "product"
Rule = Callable[[Sequence[Any], Any], Part | None]


def as_real(x: Tensor) -> Tensor:
    """A tensor whose values are real: a complex one by its real and imaginary parts."""
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


def _part(
    operator: str,
    left: Tensor,
    right: Tensor,
    products: Products,
    biases: int = 0,
    *,
    summed: bool = True,
) -> Part:
    return Part(operator, as_real(left), as_real(right), products, (left, right), biases, summed)


def over_parts(
    left: Tensor, right: Tensor, of_real: Callable[[Tensor, Tensor], Products]
) -> Products:
    """Products of complex operands: a product of complex numbers is four real products."""
    if not (left.is_complex() or right.is_complex()):
        return of_real(left, right)
    sides = (as_real(x).unbind(-1) if x.is_complex() else (x,) for x in (left, right))
    found = [of_real(a, b) for a, b in product(*sides)]
    return Products(*(sum(counts) for counts in zip(*found, strict=True)))


def _convolution(args: Sequence[Any], out: Tensor) -> Part:
    x, weight, bias, stride, padding, dilation, transposed, _, groups = args
    dims = weight.ndim - 2
    sides = ([*side] * dims if len(side) == 1 else [*side] for side in (stride, padding, dilation))
    window = Window(*sides)

    def products(a: Tensor, b: Tensor) -> Products:
        return convolution_products(
            a, b, out.shape[2:], window, groups=groups, transposed=transposed
        )

    biases = out.numel() if bias is not None else 0
    return _part("convolution", x, weight, over_parts(x, weight, products), biases)


def _product(first: int) -> Rule:
    """The rule of an operator whose factors are its arguments from `first` on."""

    def rule(args: Sequence[Any], out: Tensor) -> Part:
        left, right = args[first : first + 2]
        a = left[None] if left.ndim == 1 else left
        b = right[:, None] if right.ndim == 1 else right
        products = over_parts(a, b, matmul_products)
        biases = out.numel() if first else 0
        return _part("matmul", left, right, products, biases)

    return rule


def _elementwise(first: int) -> Rule:
    """The rule of an elementwise product, or a division, of the arguments from `first` on.

    A product larger than its factors is a matrix product written elementwise.
    """

    def rule(args: Sequence[Any], _out: Tensor) -> Part | None:
        left, right = args[first : first + 2]
        if not isinstance(right, Tensor) and isinstance(right, complex):
            right = torch.tensor(right, dtype=torch.promote_types(left.dtype, torch.complex64))
        if not isinstance(right, Tensor):
            return None  # a constant factor folds into a weight
        size = torch.broadcast_shapes(left.shape, right.shape).numel()
        outer = size > max(left.numel(), right.numel())

        def products(a: Tensor, b: Tensor) -> Products:
            return Products(size, size, int(torch.count_nonzero((a != 0) & (b != 0))))

        counted = over_parts(left, right, products)
        summed = outer or (left.is_complex() and right.is_complex())
        return _part(OUTER if outer else PRODUCT, left, right, counted, summed=summed)

    return rule


def _power(args: Sequence[Any], _out: Tensor) -> Part | None:
    """An integer power multiplies a value by itself; any other is a function of one value."""
    base, exponent = args[:2]
    if isinstance(exponent, Tensor) or not isinstance(base, Tensor):
        return _elementwise(0)(args, _out) if isinstance(base, Tensor) else None
    if isinstance(exponent, complex) or not 2 <= exponent < math.inf or exponent % 1:
        return None
    each = (int(exponent) - 1) * (4 if base.is_complex() else 1)
    times, nonzero = each * base.numel(), each * int(torch.count_nonzero(base))
    counted = Products(times, times, nonzero)
    return _part(PRODUCT, base, base, counted, summed=base.is_complex())


def _outer(args: Sequence[Any], out: Tensor) -> Part | None:
    """Products of x + a bᵀ."""
    return _elementwise(0)((args[1][:, None], args[2][None]), out)


def _neurons(args: Sequence[Any], _out: Any) -> Part:
    x, weight, _, steps, k, *_ = args
    products = band_products(steps, x.shape[0], x.shape[1:].numel(), k)
    return _part(DYNAMICS, x, weight, products)


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
    "aten::addr": _outer,
    "aten::mul": _elementwise(0),
    "aten::div": _elementwise(0),
    "aten::addcmul": _elementwise(1),
    "aten::addcdiv": _elementwise(1),
    "aten::pow": _power,
    "aten::_prelu_kernel": _elementwise(0),
    psn.OPERATOR: _neurons,
}
"""The operators that sum products, with the counting rule of each."""


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    **_: Any,
) -> Tensor:
    """Softmax attention as two products, softmax(Q Kᵀ · scale + mask) V, without dropout."""
    logits = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        logits = logits.masked_fill(torch.ones_like(logits).tril() == 0, float("-inf"))
    if attn_mask is not None:
        logits = logits + attn_mask
    return logits.softmax(-1) @ value


def named_arguments(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an operator by name; an attention bias is named `attn_mask`."""
    names = [argument.name.replace("attn_bias", "attn_mask") for argument in func._schema.arguments]
    return dict(zip(names, args, strict=False)) | kwargs


def written_arguments(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The arguments that an operator writes to."""
    written = []
    for i, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[i] if i < len(args) else kwargs.get(argument.name)
            written += tree_leaves(value)
    return written
