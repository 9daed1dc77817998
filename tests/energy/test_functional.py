import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engram.energy.functional import (
    Products,
    Window,
    band_products,
    convolution_products,
    matmul_products,
)

CONVOLVE = {
    (1, False): torch.nn.functional.conv1d,
    (2, False): torch.nn.functional.conv2d,
    (3, False): torch.nn.functional.conv3d,
    (1, True): torch.nn.functional.conv_transpose1d,
    (2, True): torch.nn.functional.conv_transpose2d,
    (3, True): torch.nn.functional.conv_transpose3d,
}


def sparse(*shape: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return x * (torch.rand(shape, generator=generator) < 0.4)


def ones(x: torch.Tensor) -> torch.Tensor:
    return (x != 0).double()


@given(
    dims=st.integers(1, 3),
    transposed=st.booleans(),
    groups=st.sampled_from([1, 2]),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    taps=st.integers(1, 4),
    size=st.integers(7, 9),
    seed=st.integers(0, 1000),
)
def test_a_convolution_of_ones_counts_the_same(
    dims, transposed, groups, stride, padding, dilation, taps, size, seed
):
    x = sparse(2, 2 * groups, *(size + d for d in range(dims)), seed=seed)
    weight = sparse(*(4, 2) if not transposed else (2 * groups, 3), *[taps] * dims, seed=seed + 1)
    convolve = CONVOLVE[dims, transposed]

    def brute(a, b):
        return convolve(a, b, stride=stride, padding=padding, dilation=dilation, groups=groups)

    out = brute(x, weight)
    window = Window([stride] * dims, [padding] * dims, [dilation] * dims)
    products = convolution_products(
        x, weight, out.shape[2:], window, groups=groups, transposed=transposed
    )
    assert products.effective == brute(ones(x), ones(weight)).sum()
    assert products.dense == brute(torch.ones_like(x), torch.ones_like(weight)).sum()
    per_place = weight[0].numel()  # of one output, or of one input when transposed
    places = x.numel() if transposed else out.numel()
    assert products.nominal == places * per_place
    assert products.effective <= products.dense <= products.nominal or transposed


def test_each_side_of_a_window_counts_by_itself():
    x, weight = sparse(1, 2, 6, 9, seed=0), sparse(3, 2, 3, 2, seed=1)
    options: dict[str, Any] = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 3)}
    out = torch.nn.functional.conv2d(x, weight, **options)
    products = convolution_products(x, weight, out.shape[2:], Window(**options))
    assert products.effective == torch.nn.functional.conv2d(ones(x), ones(weight), **options).sum()


@given(
    batch=st.lists(st.integers(1, 3), max_size=2),
    sides=st.tuples(*[st.integers(1, 6)] * 3),
    seed=st.integers(0, 1000),
)
def test_a_product_of_ones_counts_the_same(batch, sides, seed):
    rows, inner, columns = sides
    a, b = sparse(*batch, rows, inner, seed=seed), sparse(*batch, inner, columns, seed=seed + 1)
    dense = math.prod((*batch, *sides))
    assert matmul_products(a, b) == Products(dense, dense, int((ones(a) @ ones(b)).sum()))


@pytest.mark.parametrize("k", [None, 1, 2, 5])
@pytest.mark.parametrize("history", [0, 3])
def test_a_band_counts_what_its_matrix_holds(k, history):
    steps = 4
    inputs = steps + history
    age = torch.arange(history, inputs)[:, None] - torch.arange(inputs)
    band = torch.ones(steps, inputs) if k is None else ((age >= 0) & (age < k))
    assert band_products(steps, inputs, 7, k) == Products(*[int(band.sum()) * 7] * 3)


def test_counts_beyond_single_precision_are_exact():
    x, weight = torch.ones(4, 64, 224, 224), torch.ones(64, 64, 1, 1)
    products = convolution_products(x, weight, (224, 224), Window([1, 1], [0, 0], [1, 1]))
    assert products == Products(*[4 * 64 * 64 * 224**2] * 3)
