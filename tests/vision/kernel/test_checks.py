"""The kernels refuse what they would read or write outside of memory."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from engram.neuron import LIF
from engram.vision.kernel.norm import batch_norm
from engram.vision.kernel.norm_lif import norm_lif
from engram.vision.kernel.whole import add_digits, to_bytes
from engram.vision.layer import kernel_settings

V = torch.zeros(3)
LIKE_LIF: Any = kernel_settings(LIF())
ADD: Any = add_digits
INTEGERS = torch.ones(4, 3, dtype=torch.int64)


def norm_input(*shape: int) -> Any:
    return torch.rand(shape).contiguous(memory_format=torch.channels_last)


def copies(x: Tensor, n: int) -> Any:
    return [x] * n


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: batch_norm(torch.rand(2, 3, 4, 5), V, V, 1e-5), "channels_last"),
        (lambda: batch_norm(norm_input(2, 3, 4, 5), V[:2], V, 1e-5), r"weight.*\(2,\)"),
        (lambda: batch_norm(norm_input(2, 3, 4, 5), V, V.double(), 1e-5), "bias.*float64"),
        (lambda: batch_norm(norm_input(0, 3, 4, 5), V, V, 1e-5), r"\(0, 3, 4, 5\)"),
        (
            lambda: norm_lif(norm_input(4, 3, 4, 5), V, V, 1e-5, 3, LIKE_LIF),
            "3 steps",
        ),
        (lambda: to_bytes(torch.rand(4, 6)[:, ::2]), "strides"),
        (lambda: to_bytes(INTEGERS), "int64"),
        (
            lambda: ADD(*copies(norm_input(2, 3, 2, 2), 3), norm_input(2, 3, 2, 1), V),
            r"c is \(2, 3, 2, 1\)",
        ),
        (lambda: ADD(*copies(torch.rand(2, 3, 2, 2), 4), V), "channels-last"),
        (lambda: ADD(*copies(norm_input(2, 3, 2, 2), 4), V[:2]), r"bias is \(2,\)"),
    ],
)
def test_kernels_check_what_they_index(call: Callable, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        call()
