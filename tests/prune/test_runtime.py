"""Sparse layers against torch's dense ones, over geometries, counts and refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engram.errors import EngramError
from engram.prune import SparseSpikeConv, SparseSpikeLinear, sparse_layers
from engram.prune.kernel.masked import SPAN
from engram.prune.kernel.spikes import Geometry, compress, expand, spike_conv

ONE = st.integers(1, 3)


def spikes(shape, rate=0.2, most=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    found = (torch.rand(shape, generator=generator) < rate).float()
    return found * torch.randint(1, most + 1, shape, generator=generator)


def pruned(layer, density=0.1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        layer.weight *= torch.rand(layer.weight.shape, generator=generator) < density
    return layer


def agree(found, layer, x):
    exact = layer.double()(x.double())
    assert found.shape == exact.shape
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)


@settings(max_examples=150)
@given(
    st.data(),
    st.sampled_from([1, 2, 3]),
    st.tuples(ONE, ONE),
    st.tuples(st.integers(1, 4), ONE),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.tuples(ONE, ONE),
    st.sampled_from([1, 3, 200]),
)
def test_convolutions_of_any_geometry(data, groups, kernel, stride, padding, dilation, most):
    least = [d * (k - 1) + 1 - 2 * p for k, d, p in zip(kernel, dilation, padding, strict=True)]
    height = data.draw(st.integers(max(1, least[0]), max(1, least[0]) + 9))
    width = data.draw(st.one_of(
        st.integers(max(1, least[1]), max(1, least[1]) + 9), st.integers(60, 70), st.just(131)
    ))  # fmt: skip
    inside, outside = (groups * data.draw(st.integers(1, 3)) for _ in range(2))
    x = spikes((data.draw(st.integers(1, 3)), inside, height, width), most=most)
    layer = pruned(
        nn.Conv2d(inside, outside, kernel, stride, padding, dilation, groups), density=0.5
    )
    with torch.no_grad():
        agree(SparseSpikeConv.from_dense(layer)(x), layer, x)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_sums_do_not_depend_on_the_number_of_threads(threads):
    layer = pruned(nn.Conv2d(16, 32, 3, padding=1))
    sparse = SparseSpikeConv.from_dense(layer)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = [sparse(spikes((n, 16, 9, 9))) for n in (1, 40)]
        torch.set_num_threads(threads)
        for n, exact in zip((1, 40), expected, strict=True):
            assert torch.equal(sparse(spikes((n, 16, 9, 9))), exact)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("n", [1, SPAN - 1, SPAN, SPAN + 1, 3 * SPAN])
@pytest.mark.parametrize("most", [1, 255])
def test_linear_layers(n, most):
    layer = pruned(nn.Linear(300, 20))
    sparse = SparseSpikeLinear.from_dense(layer)
    x = spikes((n, 2, 300), most=most)
    with torch.no_grad():
        found = sparse(x)
        torch.testing.assert_close(found, layer(x), rtol=1e-4, atol=1e-3)


def test_rows_longer_than_16_bits():
    layer = pruned(nn.Linear(70_000, 3), 0.01)
    assert compress(layer.weight[:, :, None, None]).indices.dtype == torch.uint32
    x = spikes((5, 70_000))
    with torch.no_grad():
        torch.testing.assert_close(
            SparseSpikeLinear.from_dense(layer)(x), layer(x), rtol=1e-4, atol=1e-4
        )


@given(st.integers(1, 5), st.integers(1, 40), st.floats(0, 1), st.integers(0, 99))
def test_weights_come_back(rows, columns, density, seed):
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    weight *= torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed + 1)) < density
    found = compress(weight)
    assert torch.equal(expand(found, weight.shape), weight)
    assert len(found.values) == weight.count_nonzero()


def test_other_numbers_are_multiplied_densely():
    layer = pruned(nn.Conv2d(3, 5, 3, padding=1))
    sparse = SparseSpikeConv.from_dense(layer)
    for x in (torch.randn(2, 3, 8, 8), 300 * spikes((2, 3, 8, 8)), -spikes((2, 3, 8, 8))):
        with torch.no_grad():
            torch.testing.assert_close(sparse(x), layer(x), rtol=1e-4, atol=1e-4)
    x = spikes((2, 3, 8, 8))
    x[1, 2, 7, 7] = torch.nan
    assert sparse(x).isnan().any()


def test_layouts_and_single_images():
    layer = pruned(nn.Conv2d(6, 5, 3, stride=2, padding=1, bias=False))
    sparse = SparseSpikeConv.from_dense(layer)
    x = spikes((3, 6, 10, 12))
    with torch.no_grad():
        turned = x.transpose(2, 3).contiguous().transpose(2, 3)
        for form in (x, x.contiguous(memory_format=torch.channels_last), turned):
            torch.testing.assert_close(sparse(form), layer(x))
        torch.testing.assert_close(sparse(x[0]), layer(x[0]))
        assert sparse(x[:0]).shape == layer(x[:0]).shape


def network():
    torch.manual_seed(0)

    class Fire(nn.Module):
        def forward(self, x):
            return (x > 0.5).float()

    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), Fire(), pruned(nn.Conv2d(16, 64, 3, padding=1)), Fire(),
        pruned(nn.Conv2d(64, 64, 3, padding=1), 0.02), Fire(), nn.Flatten(), nn.Linear(64 * 64, 10),
    )  # fmt: skip


def test_a_model_keeps_its_answers():
    model = network()
    x = torch.randn(4, 3, 8, 8)
    sparse, choices = sparse_layers(model, x)
    assert [choice.name for choice in choices] == ["0", "2", "4", "7"]
    assert choices[0].reason == "it reads other numbers than spikes"
    for choice in choices:
        layer = sparse.get_submodule(choice.name)
        assert choice.taken == isinstance(layer, SparseSpikeConv | SparseSpikeLinear)
        assert choice.taken == (not choice.reason)
    with torch.no_grad():
        for n in (1, 4, 9):
            y = torch.randn(n, 3, 8, 8)
            torch.testing.assert_close(sparse(y), model(y), rtol=1e-4, atol=1e-4)


def test_a_layer_that_computes_otherwise_stays():
    class Doubled(nn.Conv2d):
        def forward(self, input):
            return 2 * super().forward(input)

    model = nn.Sequential(pruned(Doubled(64, 64, 3, padding=1), 0.01))
    _, (choice,) = sparse_layers(model, spikes((8, 64, 16, 16)))
    assert (choice.taken, choice.reason) == (False, "a Doubled computes something else")


def test_saved_layers_come_back():
    layer = SparseSpikeConv.from_dense(pruned(nn.Conv2d(4, 8, 3)))
    other = SparseSpikeConv.from_dense(pruned(nn.Conv2d(4, 8, 3), 0.7))
    other.load_state_dict(layer.state_dict())
    x = spikes((2, 4, 6, 6))
    assert torch.equal(other(x), layer(x))


def test_what_does_not_fit_is_refused():
    layer = SparseSpikeConv.from_dense(pruned(nn.Conv2d(4, 8, 3)))
    with pytest.raises(EngramError, match=r"\(image, 4, height, width\)"):
        layer(torch.zeros(1, 3, 8, 8))
    with pytest.raises(EngramError, match="larger than the padded input of 2"):
        layer(torch.zeros(1, 4, 2, 8))
    with pytest.raises(EngramError, match=r"under torch.no_grad\(\)"):
        layer(torch.zeros(1, 4, 8, 8, requires_grad=True))
    with pytest.raises(EngramError, match="reflect"):
        SparseSpikeConv.from_dense(nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect"))
    with pytest.raises(EngramError, match="float64"):
        SparseSpikeLinear.from_dense(nn.Linear(3, 3).double())
    weight = compress(torch.ones(2, 3, 1, 1))
    geometry = Geometry(4, 1, (1, 1), (1, 1), (0, 0), (1, 1))
    with pytest.raises(EngramError, match="do not fit rows of 4"):
        spike_conv(torch.zeros(1, 4, 2, 2), weight, torch.zeros(2), geometry)


def test_indices_stay_inside_their_row():
    weight = compress(torch.ones(2, 4, 1, 1))
    damaged = weight._replace(indices=torch.full_like(weight.indices, 9))
    geometry = Geometry(4, 1, (1, 1), (1, 1), (0, 0), (1, 1))
    with pytest.raises(EngramError, match="do not fit"):
        spike_conv(torch.zeros(1, 4, 2, 2), damaged, torch.zeros(2), geometry)


def test_brute_force():
    rng = np.random.default_rng(0)
    x = (rng.random((2, 3, 5, 4)) < 0.4).astype(np.float32)
    layer = pruned(nn.Conv2d(3, 2, (3, 2), padding=(1, 0)), 0.4)
    found = SparseSpikeConv.from_dense(layer)(torch.from_numpy(x)).numpy()
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()  # pyright: ignore[reportOptionalMemberAccess]
    for n, o, i, j in np.ndindex(*found.shape):
        total = float(bias[o])
        for c, k, m in np.ndindex(3, 3, 2):
            row = i + k - 1
            if 0 <= row < 5:
                total += float(weight[o, c, k, m]) * x[n, c, row, j + m]
        assert found[n, o, i, j] == pytest.approx(total, abs=1e-5)
