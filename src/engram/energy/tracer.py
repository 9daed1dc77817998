"""Trace a network at torch's dispatcher: every sum of products and its operands.

The names of layers are not used. Every torch operation is observed; those that sum products are
counted, and their operands are classified by their values over all calls.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engram.energy.free import FREE, base_name, is_free
from engram.energy.operation import Activation, Operation, is_binary
from engram.energy.rule import (
    DYNAMICS,
    OUTER,
    PRODUCT,
    RULES,
    Part,
    Rule,
    attention,
    named_arguments,
    written_arguments,
)
from engram.errors import EngramError
from engram.neuron.kernel import lif

FREE_ELSEWHERE = (lif.OPERATOR,)
"""Operators that are not torch's own and sum no products."""
HIDDEN = (
    "aten::mkldnn_rnn_layer",
    "aten::_cudnn_rnn",
    "aten::_trilinear",
    "aten::_cdist_forward",
    "aten::_native_multi_head_attention",
    "aten::_transformer_encoder_layer_fwd",
)
"""Operators that sum products unobserved."""
FUSED = "aten::_scaled_dot_product_"
"""Name prefixes of the fused softmax-attention kernels."""


ADDS = ("aten::add", "aten::sub", "aten::rsub")
SUMS = ("aten::sum", "aten::mean", "aten::nansum", "aten::cumsum")
GATHERS = ("aten::cat", "aten::stack")
ONE_VALUE = ("item", "__float__", "__complex__")
"""Methods that return one value, which a program may multiply with."""
LEAVING = (
    "numpy",
    "__array__",
    "tolist",
    "__dlpack__",
    "data_ptr",
    "storage",
    "untyped_storage",
    *ONE_VALUE,
)
"""Methods that pass a tensor's values to code outside the dispatcher."""
FORM_ONLY = ("creates values", "reads the shape")
"""Prefixes of the reasons of operators that read no value of their arguments."""


@final
class _Leaving(TorchFunctionMode):
    """Notifies a tracer of tensors whose values leave torch."""

    def __init__(self, tracer: "Tracer") -> None:
        super().__init__()
        self._tracer = tracer

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if getattr(func, "__name__", "") in LEAVING:
            self._tracer.leaves(func.__name__, args)
        return func(*args, **(kwargs or {}))


@final
class Tracer(TorchDispatchMode):
    """Observes every torch operator while active, and counts those that sum products.

    Args:
        model: The network.
        neurons: Classes of modules that are neurons: operations inside them belong to their
            dynamics, and their outputs are counted as activations.
    """

    def __init__(self, model: nn.Module, neurons: tuple[type[nn.Module], ...] = ()) -> None:
        super().__init__()
        self.operations: dict[tuple[str, str, int], Operation] = {}
        self.activations: dict[str, Activation] = {}
        self.unseen: set[str] = set()
        self.carried: set[str] = set()
        self._model = model
        self._neurons = neurons
        self._open: list[_Open] = [_Open("", within=False)]
        self._derived: set[StorageWeakRef] = set()
        self._earlier: set[StorageWeakRef] = set()
        self._running = False
        self._thread = threading.get_ident()
        self._pending: dict[StorageWeakRef, list[Part]] = {}
        self._padded: dict[StorageWeakRef, tuple[Tensor, torch.Size, Sequence[int]]] = {}

    def feed(self, inputs: Any) -> Any:
        """Mark these tensors as inputs; tensors that depend on none of them are weights."""
        fed = tree_leaves(inputs)
        self._earlier |= self._derived
        self._derive(fed)
        # batches may be slices of one tensor
        self._earlier -= {_storage(x) for x in fed if _has_storage(x)}
        return inputs

    def depends(self, x: Any) -> bool:
        """Whether a tensor depends on an input that was fed."""
        return _has_storage(x) and _storage(x) in self._derived

    def leaves(self, method: str, args: Sequence[Any]) -> None:
        """Record that a method passes the values of its tensor to unobserved code."""
        branches = method in ONE_VALUE and args and args[0].dtype is torch.bool
        if not self._running and args and self.depends(args[0]) and not branches:
            self.unseen.add(f"Tensor.{method}")

    def gives(self, outputs: Sequence[Tensor]) -> None:
        """Record if no observed operator computed the outputs from an input."""
        if outputs and not any(map(self.depends, outputs)):
            self.unseen.add("the path from the inputs to the output")

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Context in which calls of the network are traced."""
        fast_path = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            with ExitStack() as hooks:
                for path, module in self._model.named_modules():
                    _check_open(path, module)
                    enter, leave = self._entering(path, module), self._leaving(path, module)
                    hooks.callback(module.register_forward_pre_hook(enter).remove)
                    hooks.callback(module.register_forward_hook(leave, always_call=True).remove)
                with _Leaving(self), self:
                    yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast_path)
            self._pending.clear()
            self._padded.clear()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operator, and count it if it sums products."""
        kwargs = kwargs or {}
        name = _name_of(func)
        read = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        self._refuse(name, read)
        rule = RULES.get(name)
        if rule is None and name not in FREE and name.startswith("aten::"):
            with self:  # composite operators arrive undecomposed in inference mode
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        before = args
        if rule is not None and func._schema.is_mutable and isinstance(args[0], Tensor):
            before = (args[0].clone(), *args[1:])  # values overwritten by an in-place operator
            if self.depends(args[0]):
                self._derive(before[:1])
        out = self._run(func, args, kwargs)
        derived = [self.depends(x) for x in read]
        if rule is not None:
            self._judge(rule, name, before, out)
        elif name.startswith(FUSED):
            with self:  # repeated by its parts, only to count them
                attention(**named_arguments(func, args, kwargs))
        elif not is_free(name, args, kwargs):
            self._meet(name, any(derived))
        elif any(derived):
            self._follow(name, args, kwargs, out)
        self._notice_carried(name, read)
        if any(derived):
            self._derive(tree_leaves(out))
            if func._schema.is_mutable:
                self._derive(written_arguments(func, args, kwargs))
        return out

    def _refuse(self, name: str, read: Sequence[Tensor]) -> None:
        """Raise ValueError if an operator or its operands cannot be classified."""
        if name in HIDDEN:
            raise EngramError(
                f"{self._place}: {name} multiplies unobserved; build that layer from matrix "
                "products, such as cells in a loop, or exclude it from the count"
            )
        for x in read:
            if x.layout is not torch.strided or x.is_quantized or x.is_nested:
                raise EngramError(
                    f"{self._place}: {name} reads a sparse, nested, quantised or packed tensor, "
                    "which cannot be classified; count the network with dense weights "
                    "(to_dense), where zeros are free"
                )

    def _run(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        was_running, self._running = self._running, True
        try:
            return func(*args, **kwargs)
        finally:
            self._running = was_running

    def _meet(self, name: str, derived: bool) -> None:
        """Record an operator that is neither counted nor known to be free.

        A torch operator that only reads weights prepares them.
        """
        if name not in FREE_ELSEWHERE and (derived or not name.startswith("aten::")):
            self.unseen.add(name)

    def _judge(self, rule: Rule, name: str, args: Sequence[Any], out: Any) -> None:
        """Count the products of a rule, or defer an elementwise product until it is summed."""
        if name == "aten::convolution":
            args = self._without_padding(args)
        part = rule(args, out)
        if part is None:
            return
        if part.operator not in (OUTER, PRODUCT):
            self._count(part)
        elif self._open[-1].within:
            return
        elif part.summed:
            self._count(part)
        elif all(map(self.depends, part.factors)):
            # a binary factor gates the other
            if not (is_binary(part.left) or is_binary(part.right)):
                self._count(part)
        elif any(map(self.depends, part.factors)):
            _keep(self._pending, out, [part])

    def _follow(self, name: str, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> None:
        """Count products with a weight when summed: a matrix product written elementwise."""
        if name == "aten::constant_pad_nd" and not any(args[2:]):
            _keep(self._padded, out, (args[0], out.shape, args[1]))
        if not self._pending or name not in (*ADDS, *SUMS, *GATHERS):
            return
        terms = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        held = [self._pending[_storage(x)] for x in terms if _storage(x) in self._pending]
        parts = [part for of_term in held for part in of_term]
        if name in SUMS:
            for part in parts:
                if self._varies(part, args):
                    self._count(part)
        elif held and name in GATHERS:
            _keep(self._pending, out, parts)
        elif len(held) == 2:
            for part in parts:
                self._count(part)
            _keep(self._pending, out, [])
        elif held and (len(terms) == 1 or not all(map(self.depends, terms))):
            _keep(self._pending, out, parts)  # a sum that starts from a constant

    def _varies(self, part: Part, args: Sequence[Any]) -> bool:
        """Whether the weight of a product differs between the terms of this sum of products."""
        shape = torch.broadcast_shapes(*(x.shape for x in part.factors))
        if args[0].shape != shape:
            return True
        dims = args[1] if len(args) > 1 and args[1] is not None else range(len(shape))
        weight = next(x for x in part.factors if not self.depends(x))
        sizes = [1] * (len(shape) - weight.ndim) + [*weight.shape]
        return any(sizes[d] > 1 for d in ([dims] if isinstance(dims, int) else dims))

    def _without_padding(self, args: Sequence[Any]) -> Sequence[Any]:
        """The arguments of a convolution, with preceding zero padding as its own padding."""
        x, weight, bias, stride, padding, *rest = args
        inner, shape, pad = self._padded.get(_storage(x), (x, None, ()))
        space = weight.ndim - 2
        if x.shape != shape or rest[1] or len(pad) > 2 * space or min(pad) < 0:
            return args
        before = [*reversed(pad[::2])]
        edges = [0] * (space - len(before)) + before
        own = [*padding] * space if len(padding) == 1 else padding
        widened = [a + b for a, b in zip(own, edges, strict=True)]
        return (inner, weight, bias, stride, widened, *rest)

    def _notice_carried(self, name: str, read: Sequence[Tensor]) -> None:
        """Record a module that reads state left by an earlier batch."""
        if self._earlier and not FREE.get(name, "").startswith(FORM_ONLY):
            if name in ("aten::zero", "aten::fill", "aten::set"):
                return
            if any(_storage(x) in self._earlier for x in read):
                self.carried.add(self._place)

    @property
    def _place(self) -> str:
        return self._open[-1].path or "the network"

    def _count(self, part: Part) -> None:
        here = self._open[-1]
        here.counts[part.operator] = here.counts.get(part.operator, 0) + 1
        key = (here.path, part.operator, here.counts[part.operator])
        operation = self.operations.setdefault(key, Operation(*key))
        within = here.within or part.operator == DYNAMICS
        try:
            sides = zip(operation.operands, (part.left, part.right), part.factors, strict=True)
            for operand, x, factor in sides:
                operand.observe(x, weight=not self.depends(factor))
        except ValueError as error:
            raise EngramError(
                f"{operation.name} cannot be classified: {error}; check for a division by zero or "
                "a diverged weight before it"
            ) from None
        operation.within |= within
        operation.calls += 1
        operation.nominal += part.products.nominal
        operation.dense += part.products.dense
        operation.effective += part.products.effective
        operation.rows += part.left.shape[0] if part.left.ndim else 1
        operation.biases += part.biases

    def _entering(self, path: str, module: nn.Module) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            if threading.get_ident() != self._thread:
                self.unseen.add(f"{path or 'the network'} in another thread")
                return
            within = self._open[-1].within or isinstance(module, self._neurons)
            self._open.append(_Open(path, within))

        return hook

    def _leaving(self, path: str, module: nn.Module) -> Callable[..., None]:
        neuron = isinstance(module, self._neurons)

        def hook(_module: nn.Module, _inputs: Any, out: Any) -> None:
            if threading.get_ident() != self._thread:
                return
            self._open.pop()
            spikes = next((x for x in tree_leaves(out) if isinstance(x, Tensor)), None)
            if neuron and spikes is not None and not self._open[-1].within:
                seen = self.activations.setdefault(path, Activation(path))
                seen.nonzero += int(torch.count_nonzero(spikes))
                seen.elements += spikes.numel()

        return hook

    def _derive(self, values: Sequence[Any]) -> None:
        # by storage, because what is written to a slice of a buffer is read from the whole buffer
        for x in values:
            if _has_storage(x):
                self._derived.add(_storage(x))


def _check_open(path: str, module: nn.Module) -> None:
    """Raise ValueError if calls inside a module cannot be observed."""
    if isinstance(module, torch.jit.ScriptModule):
        raise EngramError(
            f"{path or 'the network'} is compiled by TorchScript, whose fused operators cannot be "
            "observed: count the module that it was made from"
        )


@cache
def _name_of(func: Any) -> str:
    return base_name(func._schema.name)


def _has_storage(x: Any) -> bool:
    """Whether it is a tensor whose memory can be tracked; other kinds are refused."""
    return isinstance(x, Tensor) and x.layout is torch.strided and not x.is_nested


def _storage(x: Tensor) -> StorageWeakRef:
    with torch._C.DisableTorchFunction():  # this access is the tracer's, not the network's
        return StorageWeakRef(x.untyped_storage())


def _keep(table: dict[StorageWeakRef, Any], out: Tensor, value: Any) -> None:
    """Record the origin of a tensor; origins of deleted tensors are removed."""
    for ref in [ref for ref in table if ref.expired()]:
        del table[ref]
    table[_storage(out)] = value


@dataclass
class _Open:
    """A call of a module in progress: its number of operations of each kind."""

    path: str
    within: bool
    counts: dict[str, int] = field(default_factory=dict)
