"""What a network computes, seen at the dispatcher: every sum of products and what it read.

A layer's name says nothing here. Each operation of torch passes by; those that sum products are
counted, and their operands are judged by their values, over every call.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engram.energy.operation import Activation, Operation
from engram.energy.rule import DYNAMICS, OUTER, RULES, Part

SEEN = ("aten", "prim", "prims")
"""Where torch's own operators live: those that sum products have a rule, or are hidden."""
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

    def _count(self, part: Part) -> None:
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
