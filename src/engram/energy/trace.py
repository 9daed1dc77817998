"""What a network computes, seen at the dispatcher: every sum of products and what it read.

A layer's name says nothing here. Each operation of torch passes by; those that sum products are
counted, and their operands are judged by their values, over every call.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engram.energy.functional import (
    Products,
    Window,
    band_products,
    convolution_products,
    matmul_products,
)

SEEN = ("aten", "prim", "prims")
"""Where torch's own operators live: those that sum products have a rule below, or are hidden."""
WITHOUT = ("engram::lif",)
"""Operators from elsewhere that sum no products."""
HIDDEN = (
    "aten::mkldnn_rnn_layer",
    "aten::_cudnn_rnn",
    "aten::_trilinear",
    "aten::_cdist_forward",
    "aten::_native_multi_head_attention",
    "aten::_transformer_encoder_layer_fwd",
)
"""Operators that sum products out of sight."""
FUSED = "aten::_scaled_dot_product_"
"""How the names of the kernels begin that compute softmax attention in one piece."""


class Kind(IntEnum):
    """The values of an operand, from the cheapest to the dearest."""

    BINARY = 0
    INTEGER = 1
    REAL = 2

    def __str__(self) -> str:
        return self.name.lower()


@dataclass
class Operand:
    """What one side of an operation held, over all its calls.

    Attributes:
        weight: Whether it depends on no input of the network.
        elements: Values in all.
        nonzero: Those other than 0.
        size: Values in one call, the largest.
        calls: Calls in which it was binary, integer and real.
        largest: The largest magnitude.
        level: The one value that it has besides 0, as far as it has only one.
    """

    weight: bool = True
    elements: int = 0
    nonzero: int = 0
    size: int = 0
    calls: list[int] = field(default_factory=lambda: [0, 0, 0])
    largest: float = 0.0
    level: float | None = None

    @property
    def kind(self) -> Kind:
        """The dearest kind that it had in any call."""
        return max((kind for kind in Kind if self.calls[kind]), default=Kind.BINARY)

    @property
    def silent(self) -> bool:
        """Whether it was 0 throughout, so that its kind says nothing."""
        return self.nonzero == 0

    @property
    def rate(self) -> float:
        """The share of its values other than 0."""
        return self.nonzero / self.elements if self.elements else 0.0

    def __str__(self) -> str:
        return "weight" if self.weight else str(self.kind)

    def observe(self, x: Tensor, weight: bool) -> None:
        """Take in the values of a call.

        Raises:
            ValueError: They are not finite.
        """
        self.weight &= weight
        nonzero = int(torch.count_nonzero(x))
        self.elements += x.numel()
        self.size = max(self.size, x.numel())
        if not weight:
            self._classify(x, nonzero)
        self.nonzero += nonzero

    def _classify(self, x: Tensor, nonzero: int) -> None:
        if int(torch.count_nonzero(x == 1)) == nonzero:
            kind, largest = Kind.BINARY, float(nonzero > 0)
            level = 1.0 if nonzero else None
        else:
            largest = float(x.abs().max())
            if not torch.isfinite(x).all():
                raise ValueError("it reads NaN or infinity")
            kind = Kind.INTEGER if torch.equal(x, x.round()) else Kind.REAL
            level = float(x.flatten()[x.abs().argmax()])
            level = level if int(torch.count_nonzero(x == level)) == nonzero else None
        if nonzero:
            self.level = level if self.nonzero == 0 or self.level == level else None
        self.calls[kind] += 1
        self.largest = max(self.largest, largest)


@dataclass
class Operation:
    """One sum of products of a network, over all its calls.

    Attributes:
        path: The module that ran it, as `named_modules` names it.
        operator: "convolution", "matmul", "outer": a matrix product written out as an elementwise
            one, or "dynamics": a neuron's own matrix.
        place: Which of its kind it is in one call of that module, from 1.
        left: What it read: the input of a layer.
        right: What it read it with: usually the weight.
        within: Whether it ran inside a neuron, as part of its membrane's dynamics.
        calls: How often it ran.
        nominal: As in `Products`, over all calls.
        dense: As in `Products`.
        effective: As in `Products`.
        rows: Pictures, or rows of matrices, that it read, over all calls.
        biases: Additions of a bias.
    """

    path: str
    operator: str
    place: int
    left: Operand = field(default_factory=Operand)
    right: Operand = field(default_factory=Operand)
    within: bool = False
    calls: int = 0
    nominal: int = 0
    dense: int = 0
    effective: int = 0
    rows: int = 0
    biases: int = 0

    @property
    def name(self) -> str:
        """The module and the operator, numbered where the module runs several."""
        number = f".{self.place}" if self.place > 1 else ""
        return f"{self.path or 'the network'}/{self.operator}{number}"

    @property
    def operands(self) -> tuple[Operand, Operand]:
        """Both sides."""
        return self.left, self.right

    @property
    def kinds(self) -> str:
        """What it multiplies, in words."""
        return f"{self.left} × {self.right}"

    @property
    def prepared(self) -> bool:
        """Whether it multiplies weights only, and need not run again for another input."""
        return self.left.weight and self.right.weight

    @property
    def gate(self) -> Operand | None:
        """The binary operand, which turns the products into sums of what it lets through."""
        binary = [one for one in self.operands if not one.weight and one.kind is Kind.BINARY]
        return binary[0] if binary else None


@dataclass
class Activation:
    """What a layer of neurons put out, over all its calls.

    Attributes:
        path: The module.
        elements: Values in all: a neuron and step each.
        nonzero: Those other than 0.
    """

    path: str
    elements: int = 0
    nonzero: int = 0

    @property
    def rate(self) -> float:
        """The share of values other than 0: spikes a neuron and step."""
        return self.nonzero / self.elements if self.elements else 0.0


@final
class Tracer(TorchDispatchMode):
    """Sees every operator of torch while it is active, and counts those that sum products.

    Args:
        model: The network.
        neurons: Classes of modules that are neurons: what runs inside belongs to their dynamics,
            and what they put out is counted as activations.
    """

    def __init__(self, model: nn.Module, neurons: tuple[type[nn.Module], ...] = ()) -> None:
        super().__init__()
        self.operations: dict[tuple[str, str, int], Operation] = {}
        self.activations: dict[str, Activation] = {}
        self.unseen: set[str] = set()
        self._model = model
        self._neurons = neurons
        self._open: list[_Open] = [_Open("", within=False)]
        self._derived: set[StorageWeakRef] = set()

    def feed(self, inputs: Any) -> Any:
        """Take note that these tensors are inputs: what depends on none of them is a weight."""
        self._derive(tree_leaves(inputs))
        return inputs

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Inside, calls of the network are traced."""
        fast_path = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            with ExitStack() as hooks:
                for path, module in self._model.named_modules():
                    enter, leave = self._entering(path, module), self._leaving(path, module)
                    hooks.callback(module.register_forward_pre_hook(enter).remove)
                    hooks.callback(module.register_forward_hook(leave, always_call=True).remove)
                with self:
                    yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast_path)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operator, and count it if it sums products."""
        kwargs = kwargs or {}
        name = func._schema.name
        if any(isinstance(x, Tensor) and x.layout is not torch.strided for x in args):
            raise ValueError(
                f"{self._place}: {name} reads a sparse or packed tensor, which cannot be judged in "
                "place: count the network with dense weights (to_dense), where zeros are free"
            )
        if name.startswith("aten::") and name not in RULES:
            with self:  # what is made of other operators arrives whole in inference mode
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **kwargs)
        if name in HIDDEN:
            raise ValueError(
                f"{self._place}: {name} multiplies out of sight: build that layer from matrix "
                "products, such as cells in a loop, or leave it out of the count"
            )
        known = name.partition("::")[0] in SEEN or name in RULES or name in WITHOUT
        if not known:
            self.unseen.add(name)
        if name.startswith(FUSED):
            with self:  # again by its parts, for the count alone
                _attention(**_named(func, args, kwargs))
        part = RULES[name](args, out) if name in RULES else None
        if part is not None and not (part.operator == OUTER and self._open[-1].within):
            self._count(part)
        read = tree_leaves((args, kwargs))
        if any(self._is_derived(x) for x in read):
            self._derive(tree_leaves(out))
            if func._schema.is_mutable:
                self._derive(_written(func, args, kwargs))
        return out

    @property
    def _place(self) -> str:
        return self._open[-1].path or "the network"

    def _count(self, part: "_Part") -> None:
        here = self._open[-1]
        here.counts[part.operator] = here.counts.get(part.operator, 0) + 1
        key = (here.path, part.operator, here.counts[part.operator])
        operation = self.operations.setdefault(key, Operation(*key))
        within = here.within or part.operator == DYNAMICS
        try:
            for operand, x in zip(operation.operands, (part.left, part.right), strict=True):
                operand.observe(x, weight=not self._is_derived(x))
        except ValueError as error:
            raise ValueError(
                f"{operation.name} cannot be judged: {error}; look for a division by zero or a "
                "diverged weight before it"
            ) from None
        operation.within |= within
        operation.calls += 1
        operation.nominal += part.products.nominal
        operation.dense += part.products.dense
        operation.effective += part.products.effective
        operation.rows += part.left.shape[0]
        operation.biases += part.biases

    def _entering(self, path: str, module: nn.Module) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            within = self._open[-1].within or isinstance(module, self._neurons)
            self._open.append(_Open(path, within))

        return hook

    def _leaving(self, path: str, module: nn.Module) -> Callable[..., None]:
        neuron = isinstance(module, self._neurons)

        def hook(_module: nn.Module, _inputs: Any, out: Any) -> None:
            self._open.pop()
            spikes = next((x for x in tree_leaves(out) if isinstance(x, Tensor)), None)
            if neuron and spikes is not None and not self._open[-1].within:
                seen = self.activations.setdefault(path, Activation(path))
                seen.nonzero += int(torch.count_nonzero(spikes))
                seen.elements += spikes.numel()

        return hook

    def _derive(self, values: Sequence[Any]) -> None:
        # by storage: what is written into a slice of a buffer is then read from the whole of it
        for x in values:
            if isinstance(x, Tensor):
                self._derived.add(StorageWeakRef(x.untyped_storage()))

    def _is_derived(self, x: Any) -> bool:
        return isinstance(x, Tensor) and StorageWeakRef(x.untyped_storage()) in self._derived


@dataclass
class _Open:
    """A call of a module that has not returned: how many operations of each kind it ran."""

    path: str
    within: bool
    counts: dict[str, int] = field(default_factory=dict)


class _Part(NamedTuple):
    """A sum of products, as an operator ran it."""

    operator: str
    left: Tensor
    right: Tensor
    products: Products
    biases: int = 0


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    **_: Any,
) -> Tensor:
    """Softmax attention by its two products, softmax(Q Kᵀ · scale + mask) V, without dropout."""
    logits = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        logits = logits.masked_fill(torch.ones_like(logits).tril() == 0, float("-inf"))
    if attn_mask is not None:
        logits = logits + attn_mask
    return logits.softmax(-1) @ value


def _named(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an operator by name; `attn_mask` also where it is called a bias."""
    names = [argument.name.replace("attn_bias", "attn_mask") for argument in func._schema.arguments]
    return dict(zip(names, args, strict=False)) | kwargs


def _written(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The arguments that an operator writes into."""
    written = []
    for i, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[i] if i < len(args) else kwargs.get(argument.name)
            written += tree_leaves(value)
    return written


DYNAMICS, OUTER = "dynamics", "outer"
Rule = Callable[[Sequence[Any], Any], _Part | None]


def _convolution(args: Sequence[Any], out: Tensor) -> _Part:
    x, weight, bias, stride, padding, dilation, transposed, _, groups = args
    dims = weight.ndim - 2
    sides = ([*side] * dims if len(side) == 1 else [*side] for side in (stride, padding, dilation))
    products = convolution_products(
        x, weight, out.shape[2:], Window(*sides), groups=groups, transposed=transposed
    )
    return _Part("convolution", x, weight, products, out.numel() if bias is not None else 0)


def _product(first: int) -> Rule:
    """The rule of an operator whose factors are its arguments from `first` on."""

    def rule(args: Sequence[Any], out: Tensor) -> _Part:
        left, right = args[first : first + 2]
        a = left[None] if left.ndim == 1 else left
        b = right[:, None] if right.ndim == 1 else right
        products = matmul_products(a, b)
        return _Part("matmul", left, right, products, out.numel() if first else 0)

    return rule


def _outer(args: Sequence[Any], out: Tensor) -> _Part | None:
    """An elementwise product that is larger than its factors is a matrix product written out."""
    left, right = args[:2]
    if not isinstance(right, Tensor) or out.numel() <= max(left.numel(), right.numel()):
        return None
    products = Products(out.numel(), out.numel(), int(torch.count_nonzero(out)))
    return _Part(OUTER, left, right, products)


def _neurons(args: Sequence[Any], _out: Any) -> _Part:
    x, weight, _, steps, k, *_ = args
    products = band_products(steps, x.shape[0], x.shape[1:].numel(), k)
    return _Part(DYNAMICS, x, weight, products)


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
