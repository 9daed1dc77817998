"""When an operator may be called without the dispatcher."""

import torch
from torch import Tensor


def unwatched(x: Tensor) -> bool:
    """Whether nothing compiles, exports, traces or transforms this call.

    The dispatcher takes 30 to 200 µs for an operator written in Python, more than a small layer's
    work; where nobody looks, the same code is called directly.
    """
    return (
        type(x) in (Tensor, torch.nn.Parameter)
        and not torch.compiler.is_compiling()
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None  # pyright: ignore[reportAttributeAccessIssue]
        and torch._C._get_tracing_state() is None
    )
