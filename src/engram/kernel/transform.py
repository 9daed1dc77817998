"""Whether torch transforms what runs: torch.func, or differentiation in forward mode."""

import torch
from torch.autograd import forward_ad

_interpreter = torch._C._functorch.peek_interpreter_stack  # pyright: ignore[reportAttributeAccessIssue]


@torch.compiler.assume_constant_result  # the compiler guards both states by itself
def transformed() -> bool:
    """Whether a transform of torch.func, or forward-mode differentiation, is active.

    Kernels know their values and one derivative in reverse mode. In all other modes the reference
    in plain torch runs in their place, which torch can transform.
    """
    return forward_ad._current_level >= 0 or _interpreter() is not None
