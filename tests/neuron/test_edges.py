"""Kernel against reference where shapes do not fit and numbers reach the edge of their range."""

# pyright: reportCallIssue=false, reportArgumentType=false
# (operators are called wrongly here, to see what they say)

import contextlib
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from engram.neuron import (
    IF,
    LIF,
    PMSN,
    PRF,
    PSN,
    ATan,
    Erf,
    FastSigmoid,
    FixedPointLIF,
    ParametricLIF,
    Rectangle,
    Sigmoid,
    SlidingPSN,
    Surrogate,
    Triangle,
    reference,
)
from engram.neuron import functional as F
from engram.neuron.kernel.lif import lif as compiled_lif
from engram.neuron.kernel.lif import lif_backward, lif_operator
from engram.neuron.kernel.psn import psn_backward, psn_operator
from engram.neuron.kernel.shape import shape_of

SURROGATES = (ATan, Sigmoid, Triangle, Rectangle, Erf, FastSigmoid)
EDGE_INPUT = (0.0, -0.0, 0.5, 1.0, 1.0 - 2**-24, 2.5, -1.0, 1e-45, 1e-38, 1e3, -1e3, -math.inf)


def everything(run: Callable, x: Tensor, **settings) -> list[Tensor]:
    """Spikes, membrane and the gradients of input and initial membrane."""
    leaf, start = x.clone().requires_grad_(), torch.full_like(x[0], 0.25).requires_grad_()
    spikes, after = run(leaf, F.LIFState(start), **settings)
    weight = torch.linspace(-1, 2, x.numel(), dtype=x.dtype).view_as(x)
    loss = (spikes * weight).sum() + (after.voltage.nan_to_num() * weight[0]).sum()
    return [spikes, after.voltage, *torch.autograd.grad(loss, (leaf, start))]


def agree(x: Tensor, **settings) -> None:
    got, expected = (everything(run, x, **settings) for run in (compiled_lif, F.lif))
    assert torch.equal(got[0], expected[0])
    for a, b in zip(got[1:], expected[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=2e-5, atol=1e-6, equal_nan=True)


def edges(dtype: torch.dtype) -> Tensor:
    x = torch.tensor(EDGE_INPUT, dtype=dtype).repeat(4, 1)
    x[1:] = x[1:].roll(5, 1)
    x[2:] = x[2:].roll(3, 1)
    return x


# every form in float32, one in float64: each form compiles a kernel per dtype
FORMS = [
    pytest.param(
        *(reset, decay_input, dtype),
        marks=() if dtype is torch.float32 or (reset == 0.0 and decay_input) else pytest.mark.slow,
    )
    for reset in (0.0, None, -0.3)
    for decay_input in (True, False)
    for dtype in (torch.float32, torch.float64)
]


@pytest.mark.parametrize(("reset", "decay_input", "dtype"), FORMS)
@pytest.mark.parametrize(
    "tau", [math.inf, 1.0, 1 + 1e-9, 1 + 1e-6, 2.0, 2.7, 2.0**127, 2.0**140, 1e8, 1e39, 1e300]
)
def test_any_time_constant(tau: float, reset: float | None, decay_input: bool, dtype) -> None:
    settings = {"reset": reset, "decay_input": decay_input, "surrogate": Triangle(0.5)}
    agree(torch.randn(9, 30, dtype=dtype) + 0.5, tau=tau, **settings)


def forms() -> list[Any]:
    """Every surrogate, and every reset and dtype; all together, each a kernel, if slow."""
    return [
        pytest.param(
            *(surrogate, reset, dtype),
            marks=()
            if isinstance(surrogate, ATan) or (reset == 0.0 and dtype is torch.float32)
            else pytest.mark.slow,
        )
        for surrogate in (kind() for kind in SURROGATES)
        for reset in (0.0, None, -0.3)
        for dtype in (torch.float32, torch.float64)
    ]


@pytest.mark.parametrize("tau", [math.inf, 2.0])
@pytest.mark.parametrize(("surrogate", "reset", "dtype"), forms())
def test_any_input(tau: float, surrogate: Surrogate, reset: float | None, dtype) -> None:
    agree(edges(dtype), tau=tau, reset=reset, decay_input=tau == 2.0, surrogate=surrogate)


@pytest.mark.parametrize("threshold", [1e-38, 1e-40, 1e-3, 1e3])
@pytest.mark.parametrize("reset", [0.0, None, -1e-3, -1e2])
def test_any_threshold(threshold: float, reset: float | None) -> None:
    x = threshold * torch.randn(4, 20).abs()
    agree(x, tau=1.5, threshold=threshold, reset=reset, surrogate=ATan())


@pytest.mark.parametrize("threshold", [1e10, 3e38])
def test_the_largest_charges_leave_spikes_equal_and_gradients_finite(threshold: float) -> None:
    x = torch.tensor([3e38, -3e38, 1e30, 1.0]).repeat(3, 1)
    found = [
        everything(run, x, tau=1.5, threshold=threshold, surrogate=ATan())
        for run in (compiled_lif, F.lif)
    ]
    assert torch.equal(found[0][0], found[1][0])
    assert all(g.isfinite().all() for g in found[0][2:])


@pytest.mark.parametrize("alpha", [1e-37, 1e-20, 1e-3, 1e3, 1e20, 1e37])
@pytest.mark.parametrize("kind", SURROGATES)
def test_any_steepness(kind: type[Surrogate], alpha: float) -> None:
    surrogate = kind(alpha)  # pyright: ignore[reportCallIssue]
    x = torch.randn(5, 40)
    x[0, 0], x[:, 1] = 0.75, -1.0  # one charge that stands at the threshold
    got, expected = (
        everything(run, x, tau=math.inf, decay_input=False, detach_reset=True, surrogate=surrogate)
        for run in (compiled_lif, F.lif)
    )
    assert all(g.isfinite().all() for g in got)
    for a, b in zip(got, expected, strict=True):
        scale = b.abs().max().clamp(min=1e-30)
        torch.testing.assert_close(a / scale, b / scale, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("weight", [-200.0, -88.0, -30.0, 0.0, 20.0, 40.0])
@pytest.mark.parametrize("decay_input", [True, False])
def test_any_learned_leak(weight: float, decay_input: bool) -> None:
    neuron, x = ParametricLIF(decay_input=decay_input), torch.randn(6, 30) + 0.5
    with torch.no_grad():
        neuron.w.fill_(weight)
    found = []
    for where in (contextlib.nullcontext(), reference()):
        with where:
            leaf, leak = x.clone().requires_grad_(), neuron.w.detach().sigmoid().requires_grad_()
            run = F.lif if where.__class__ is not contextlib.nullcontext else compiled_lif
            y, after = run(leaf, leak=leak, decay_input=decay_input, surrogate=ATan())
            total = (y * x).sum() + after.voltage.sum()
            found.append([y, after.voltage, *torch.autograd.grad(total, (leaf, leak))])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_an_infinite_time_constant_holds_the_membrane() -> None:
    x = torch.rand(20, 2, 4) * 3
    assert not LIF(math.inf)(x).any()
    assert torch.equal(LIF(math.inf, decay_input=False)(x), IF()(x))
    assert LIF(math.inf, decay_input=False)(x).any()


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"threshold": math.nan}, "threshold=nan"),
        ({"threshold": math.inf}, "threshold=inf"),
        ({"threshold": 1e39}, r"threshold=1e\+39.*inf and 0.0 in torch.float32.*double\(\)"),
        ({"threshold": 1e-50}, r"threshold=1e-50.*0\.0 in torch.float32.*double\(\)"),
        ({"threshold": 1e-50, "reset": None}, "threshold=1e-50"),
        ({"threshold": -1.0}, "must be below"),
        ({"reset": math.nan}, "reset=nan"),
        ({"reset": -math.inf}, "reset=-inf"),
        ({"reset": -1e39}, r"reset=-1e\+39"),
        ({"reset": 1 - 1e-12}, "must be below the threshold in that dtype"),
    ],
)
def test_numbers_without_a_meaning_are_refused(compiled: bool, settings, named: str) -> None:
    run = compiled_lif if compiled else F.lif
    with pytest.raises(ValueError, match=named):
        run(torch.rand(3, 2), **settings, surrogate=ATan())
    if "1e" in named or "below the threshold there" in named:
        run(torch.rand(3, 2, dtype=torch.float64), **settings, surrogate=ATan())


@pytest.mark.parametrize(
    "make",
    [
        lambda v: FixedPointLIF(threshold=v),
        lambda v: PRF(threshold=v),
        lambda v: PMSN(threshold=v),
        lambda v: PMSN(coupling=v),
        lambda v: PRF(step_range=(0.1, v)),
        lambda v: PMSN(step_range=(v, 1.0)),
        *(lambda v, kind=kind: kind(v) for kind in SURROGATES),
    ],
)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_constructors_refuse_what_is_not_finite(make: Callable, value: float) -> None:
    with pytest.raises(ValueError, match=str(value)):
        make(value)


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-40, 1e38, 1e300])
def test_a_steepness_is_in_the_range_of_float32(value: float) -> None:
    for kind in SURROGATES:
        with pytest.raises(ValueError, match="steepness"):
            kind(value)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "shape",
    [(1, 4), (2, 4), (5, 4), (3, 1), (3, 5), (12,), (3,), (4,), (), (3, 4, 1), (4, 3), (0, 4)],
)
def test_a_state_of_another_shape_is_refused(compiled: bool, shape: tuple[int, ...]) -> None:
    run = compiled_lif if compiled else F.lif
    with pytest.raises(ValueError, match=r"membrane has shape .*\(3, 4\)") as error:
        run(torch.rand(2, 3, 4), F.LIFState(torch.zeros(shape)), surrogate=ATan())
    assert str(tuple(shape)) in str(error.value)
    assert "from rest" in str(error.value)


def test_a_state_in_another_layout_or_dtype_is_taken() -> None:
    x, start = torch.rand(4, 3, 5), torch.rand(5, 3)
    expected, _ = F.lif(x, F.LIFState(start.T.clone()), surrogate=ATan())
    for voltage in (start.T, start.T.double(), start.half().float().T.half()):
        got, _ = compiled_lif(x, F.LIFState(voltage), surrogate=ATan())
        again, _ = F.lif(x, F.LIFState(voltage.float()), surrogate=ATan())
        assert torch.equal(got, again)
    one, _ = compiled_lif(x, F.LIFState(start[:1].T.expand(3, 5)), surrogate=ATan())
    assert one.shape == expected.shape


def test_a_view_that_turns_the_sign_is_read_as_such() -> None:
    x = torch._neg_view(-torch.rand(4, 6) * 2)  # pyright: ignore[reportPrivateImportUsage]
    assert x.is_neg()
    for neuron in (LIF(), PSN(4), SlidingPSN(2)):
        assert torch.equal(neuron(x), neuron(x.resolve_neg()))


LIF_NUMBERS = (2.0, 1.0, 0.0, True, False, *shape_of(ATan()))
PSN_NUMBERS = (4, None, *shape_of(ATan()), True)
X, V, W, B = torch.rand(4, 3), torch.zeros(3), torch.eye(4), torch.ones(4)
ABSENT = torch.empty(0)
INTEGERS = torch.ones(4, 3, dtype=torch.int64)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: lif_operator(X, V[:2], None, *LIF_NUMBERS), r"\(2,\)"),
        (lambda: lif_operator(X, V.long(), None, *LIF_NUMBERS), "int64"),
        (lambda: compiled_lif(X, F.LIFState(V.to_sparse()), surrogate=ATan()), "sparse"),
        (lambda: lif_operator(INTEGERS, None, None, *LIF_NUMBERS), "int64"),
        (lambda: lif_operator(X[:0], None, None, *LIF_NUMBERS), r"\(0, 3\)"),
        (lambda: lif_operator(X, None, V, *LIF_NUMBERS), r"leak.*\(3,\)"),
        (lambda: lif_operator(X, None, None, math.nan, *LIF_NUMBERS[1:]), "tau=nan"),
        (lambda: lif_operator(X, None, None, 0.5, *LIF_NUMBERS[1:]), "tau=0.5"),
        (lambda: lif_operator(X, None, None, 2.0, math.nan, *LIF_NUMBERS[2:]), "threshold=nan"),
        (lambda: lif_backward(X, None, X, None, None, *LIF_NUMBERS[:5], 9, 1.0, 1.0), "shape=9"),
        (lambda: lif_backward(X[:, :2], None, X, None, None, *LIF_NUMBERS), r"\(4, 2\)"),
        (lambda: lif_backward(X[:2], None, X, None, None, *LIF_NUMBERS), r"\(2, 3\)"),
        (lambda: lif_backward(None, V[:1], X, V, None, *LIF_NUMBERS), r"membrane.*\(1,\)"),
        (lambda: lif_backward(X, None, X, V[:1], None, *LIF_NUMBERS), r"membrane.*\(1,\)"),
        (lambda: psn_operator(X, W[:, :3], B, *PSN_NUMBERS), r"\(4, 3\)"),
        (lambda: psn_operator(X, W.long(), B, *PSN_NUMBERS), "weight.*int64"),
        (lambda: psn_operator(X, W, B[:1], *PSN_NUMBERS), r"threshold.*\(1,\)"),
        (lambda: psn_operator(X, W, B, 4, None, 7, 1.0, 1.0, True), "shape=7"),
        (lambda: psn_backward(X[:3], X, W, B, ABSENT, *PSN_NUMBERS), r"spikes.*\(3, 3\)"),
        (lambda: psn_backward(X, X, W, B, X[:2], *PSN_NUMBERS), r"kept.*\(2, 3\)"),
        (lambda: psn_backward(X, X, W, B, X.double(), *PSN_NUMBERS), "float64"),
    ],
)
def test_operators_check_what_they_index(call: Callable, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        call()
