"""The compiled parallel family against the reference in plain torch, and against the definition."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engram.device import threads
from engram.neuron import ATan, Sigmoid, Surrogate, backend
from engram.neuron import functional as F
from engram.neuron.kernel.psn import banded_psn, psn, psn_operator, sliding_psn
from engram.neuron.kernel.psn_launch import KEEP
from engram.neuron.kernel.shape import shape_of

pytestmark = pytest.mark.skipif(backend() != "numba", reason="Numba is not installed")

FAMILY = ("dense", "banded", "sliding")
Call = Callable[[Tensor, Tensor, Tensor], Tensor]


def dyadic(*shape: int, seed: int = 0) -> Tensor:
    """Numbers whose products and sums are exact: however they are added, the result is the same."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-16, 17, shape, generator=generator) / 8


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def matrix(member: str, weight: Tensor, inputs: int, steps: int, k: int) -> Tensor:
    """W as the definition has it, element by element."""
    rows = []
    for i in range(steps):
        t = i + inputs - steps
        row = []
        for j in range(inputs):
            inside = member == "dense" or 0 <= t - j < k
            entry = weight[k - 1 - (t - j)] if member == "sliding" and inside else None
            row.append((weight[i, j] if entry is None else entry) if inside else weight.sum() * 0)
        rows.append(torch.stack(row))
    return torch.stack(rows)


def kernel(member: str, steps: int, k: int, surrogate: Surrogate) -> Call:
    if member == "dense":
        return lambda x, w, b: psn(x, w, b, surrogate)
    if member == "banded":
        return lambda x, w, b: banded_psn(x, w, b, surrogate, k=k)
    return lambda x, w, b: sliding_psn(x, w, b, surrogate, steps=steps)


def reference(member: str, steps: int, k: int, surrogate: Surrogate) -> Call:
    return lambda x, w, b: F.psn(x, matrix(member, w, len(x), steps, k), b, surrogate)


def arguments(
    member: str, shape: tuple[int, ...], steps: int, k: int, draw: Callable[..., Tensor] = normal
) -> tuple[Tensor, Tensor, Tensor]:
    weight = draw(k, seed=1) if member == "sliding" else draw(steps, shape[0], seed=1)
    return draw(*shape), weight, draw(*(() if member == "sliding" else (steps,)), seed=2)


def grads(call: Call, args: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Spikes, and the gradients of all arguments against fixed random weights of the spikes."""
    leaves = tuple(arg.detach().requires_grad_() for arg in args)
    spikes = call(*leaves)
    return spikes.detach(), torch.autograd.grad(
        spikes, leaves, normal(*spikes.shape, seed=3).to(spikes.dtype)
    )


def error(got: tuple[Tensor, ...], exact: tuple[Tensor, ...]) -> float:
    """The largest error, as a part of the largest number of each tensor."""
    return max(
        float((a.double() - b.double()).abs().max() / b.abs().max().clamp(min=1e-3))
        for a, b in zip(got, exact, strict=True)
    )


# shape of x, steps, order: ragged and whole tiles and blocks, histories, a band wider than time
SIZES = [
    ((1, 1), 1, 1),
    ((4, 256), 4, 4),
    ((5, 3, 91), 5, 2),
    ((13, 300), 13, 6),
    ((13, 7), 4, 6),
    ((6, 20), 6, 9),
    ((40, 2, 140), 33, 8),
]


@pytest.mark.parametrize("member", FAMILY)
@pytest.mark.parametrize(("shape", "steps", "k"), SIZES)
def test_exact_arithmetic_gives_equal_spikes(
    member: str, shape: tuple[int, ...], steps: int, k: int
) -> None:
    args = arguments(member, shape, steps, k, dyadic)
    spikes, (gx, gw, gb) = grads(kernel(member, steps, k, ATan()), args)
    expected, exact = grads(
        reference(member, steps, k, ATan()), tuple(arg.double() for arg in args)
    )
    assert torch.equal(spikes.double(), expected)
    assert error((gx, gw, gb), exact) < 1e-5


def test_a_charge_at_threshold_fires() -> None:
    x = dyadic(16, 500)
    weight = dyadic(16, 16, seed=1)
    charge = weight.double() @ x.double()
    threshold = charge[:, 0].float()
    spikes = psn(x, weight, threshold, ATan())
    assert (spikes[:, 0] == 1).all()
    assert torch.equal(spikes.double(), (charge >= threshold[:, None]).double())


@pytest.mark.parametrize("member", FAMILY)
@pytest.mark.parametrize("size", [(24, 24, 7), (150, 150, 140)])
def test_rounding_alone_may_move_a_spike(member: str, size: tuple[int, int, int]) -> None:
    inputs, steps, k = size
    x, weight, threshold = arguments(member, (inputs, 700), steps, k)
    spikes = kernel(member, steps, k, ATan())(x, weight, threshold).double()
    w = matrix(member, weight, inputs, steps, k).double()
    above = w @ x.double() - threshold.double().reshape(-1, 1)
    terms = inputs if member == "dense" else k
    rounding = terms * torch.finfo(x.dtype).eps * (w.abs() @ x.double().abs())
    assert torch.equal(spikes[above >= rounding], torch.ones_like(spikes[above >= rounding]))
    assert not spikes[above < -rounding].any()
    assert (above.abs() <= rounding).float().mean() < 0.01


@pytest.mark.parametrize("member", FAMILY)
@pytest.mark.parametrize("inputs", [11, KEEP + 3])
@pytest.mark.parametrize("surrogate", [ATan(), Sigmoid()], ids=["atan", "sigmoid"])
def test_gradients_equal_those_of_the_reference(
    member: str, inputs: int, surrogate: Surrogate
) -> None:
    args = arguments(member, (inputs, 2, 150), inputs, inputs - 3)
    args = (args[0], args[1] / inputs**0.5, args[2])
    ours = grads(kernel(member, inputs, inputs - 3, surrogate), args)
    double = tuple(arg.double() for arg in args)
    exact = grads(reference(member, inputs, inputs - 3, surrogate), double)
    assert error(ours[1], exact[1]) < 1e-5
    if surrogate == ATan():
        in_double = grads(kernel(member, inputs, inputs - 3, surrogate), double)
        assert torch.equal(in_double[0], exact[0])
        assert error(in_double[1], exact[1]) < 1e-12


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12), st.data())
def test_a_chunk_with_its_history_continues_the_sequence(
    before: int, steps: int, k: int, data: st.DataObject
) -> None:
    x = dyadic(before + steps, 5, seed=data.draw(st.integers(0, 9)))
    weight, threshold = dyadic(k, seed=1), torch.tensor(0.5)
    whole = sliding_psn(x, weight, threshold, ATan(), steps=before + steps)
    seen = x[max(0, before - k + 1) :]
    assert torch.equal(sliding_psn(seen, weight, threshold, ATan(), steps=steps), whole[before:])
    square, b = dyadic(before + steps, before + steps, seed=2), dyadic(before + steps, seed=3)
    rows = square[before:, max(0, before - k + 1) :]
    whole = banded_psn(x, square, b, ATan(), k=k)
    assert torch.equal(banded_psn(seen, rows, b[before:], ATan(), k=k), whole[before:])


def test_the_dense_neuron_may_return_more_steps_than_it_reads() -> None:
    args = dyadic(6, 3, 40), dyadic(9, 6, seed=1), dyadic(seed=2)
    ours, theirs = (
        grads(kernel("dense", 9, 6, ATan()), args),
        grads(reference("dense", 9, 6, ATan()), args),
    )
    assert torch.equal(ours[0], theirs[0])
    assert error(ours[1], theirs[1]) < 1e-5


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.permute(0, 1, 3, 4, 2),
        lambda x: x[:, ::2],
        lambda x: x[::2],
        lambda x: x.transpose(0, 1),
        lambda x: x[:1].expand_as(x),
        lambda x: x.flip(2)[..., 1:],
    ],
)
def test_strides_change_nothing(view: Callable[[Tensor], Tensor]) -> None:
    x = view(normal(6, 6, 3, 4, 5))
    T = x.shape[0]
    weight, threshold = normal(T, 2 * T, seed=1)[:, ::2], normal(T, 2, seed=2)[:, 0]
    ours = grads(kernel("dense", T, T, ATan()), (x, weight, threshold))
    plain = grads(
        kernel("dense", T, T, ATan()),
        (x.contiguous(), weight.contiguous(), threshold.contiguous()),
    )
    assert torch.equal(ours[0], plain[0])
    assert torch.equal(ours[1][0], plain[1][0])
    # the neurons of another memory order are added up in that order
    assert error(ours[1], plain[1]) < 1e-5


def test_half_precision_computes_in_float32() -> None:
    weight, threshold = normal(8, 8, seed=1), normal(8, seed=2)
    for dtype in (torch.bfloat16, torch.float16):
        x = normal(8, 100).to(dtype)
        with torch.autocast("cpu", torch.bfloat16):
            spikes, (gx, gw, _) = grads(kernel("dense", 8, 8, ATan()), (x, weight, threshold))
        expected, (gx32, _, _) = grads(
            kernel("dense", 8, 8, ATan()), (x.float(), weight, threshold)
        )
        assert spikes.dtype == gx.dtype == dtype
        assert gw.dtype == torch.float32
        assert torch.equal(spikes.float(), expected)
        torch.testing.assert_close(gx.float(), gx32, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("shape", [(5, 0), (4, 2, 0, 3), (300, 2)])
def test_any_size(shape: tuple[int, ...]) -> None:
    T = shape[0]
    for member in FAMILY:
        args = arguments(member, shape, T, 3)
        spikes, (gx, gw, gb) = grads(kernel(member, T, 3, ATan()), args)
        assert spikes.shape == gx.shape == args[0].shape
        if not args[0].numel():
            assert not gw.any()
            assert not gb.any()


@pytest.mark.parametrize("member", FAMILY)
@pytest.mark.parametrize("inputs", [13, KEEP + 3])
def test_deterministic_whatever_the_number_of_threads(member: str, inputs: int) -> None:
    args = arguments(member, (inputs, 20_000), inputs, 6)
    with threads(1):
        spikes, expected = grads(kernel(member, inputs, 6, ATan()), args)
    for count in (1, 2, 3):
        with threads(count):
            again, got = grads(kernel(member, inputs, 6, ATan()), args)
        assert torch.equal(again, spikes)
        assert all(map(torch.equal, got, expected))


@pytest.mark.parametrize("member", FAMILY)
@pytest.mark.parametrize("inputs", [5, KEEP])
def test_operator_is_sound(member: str, inputs: int) -> None:
    x, weight, threshold = (
        arg.requires_grad_() for arg in arguments(member, (inputs, 2, 3), inputs, inputs)
    )
    k = None if member == "dense" else inputs
    torch.library.opcheck(psn_operator, (x, weight, threshold, inputs, k, *shape_of(ATan()), True))


@pytest.mark.parametrize("member", FAMILY)
def test_compiles_and_exports_as_one_operator(member: str) -> None:
    class Layer(torch.nn.Module):
        def __init__(self, weight: Tensor, threshold: Tensor) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(weight)
            self.threshold = torch.nn.Parameter(threshold)

        def forward(self, x: Tensor) -> Tensor:
            return kernel(member, 6, 3, ATan())(x, self.weight, self.threshold)

    args = arguments(member, (6, 4, 10), 6, 3)
    layer = Layer(*args[1:])
    program = torch.export.export(layer, (args[0],))
    assert str(program.graph).count("engram.psn.default") == 1
    assert torch.equal(program.module()(args[0]), layer(args[0]))
    compiled = torch.compile(kernel(member, 6, 3, ATan()), fullgraph=True, backend="aot_eager")
    ours, plain = grads(compiled, args), grads(kernel(member, 6, 3, ATan()), args)
    assert torch.equal(ours[0], plain[0])
    assert all(map(torch.equal, ours[1], plain[1]))


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda x, w, b: psn(x, w[:, :5], b, ATan()), r"\(6, 5\).*sequence of 6"),
        (lambda x, w, b: psn(x, w, b[:4], ATan()), r"threshold.*\(4,\)"),
        (lambda x, w, b: psn(x, w.to("meta"), b, ATan()), "meta"),
        (lambda x, w, b: psn(x, w[:0], b[:0], ATan()), "0 steps"),
        (lambda x, w, b: banded_psn(x, w, b, ATan(), k=0), "k=0"),
        (lambda x, w, b: sliding_psn(x, w[0], b[0], ATan(), steps=7), "7 steps"),
    ],
)
def test_what_does_not_fit_is_refused(call: Call, names: str) -> None:
    with pytest.raises(ValueError, match=names):
        call(normal(6, 4), normal(6, 6), normal(6))
