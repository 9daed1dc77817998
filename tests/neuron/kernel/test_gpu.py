"""The GPU kernels against the reference: on a device, or in Triton's interpreter on the CPU.

`pytest -m gpu` runs the checks on a device. Without one, `test_in_the_interpreter` runs the same
checks in a process of its own, since Triton decides when it is imported whether it interprets.
"""

# pyright: reportCallIssue=false
# (how many inputs the operators are given stands in lists)

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engram.neuron import functional as F
from engram.neuron.kernel.shape import shape_of
from engram.neuron.surrogate import ATan, Erf, FastSigmoid, Rectangle, Sigmoid, Surrogate, Triangle

triton = pytest.importorskip("triton")

from engram.neuron.kernel import lif_gpu, psn_gpu  # noqa: E402

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
SURROGATES = (ATan(), Sigmoid(), Triangle(), Rectangle(), Erf(), FastSigmoid(4.0))
LIFS, PSNS = lif_gpu.BLOCK + 3, psn_gpu.BLOCK + 3  # no multiples of a block

on_device = pytest.mark.skipif(
    not INTERPRETED and not torch.cuda.is_available(), reason="needs a CUDA device"
)


@pytest.mark.skipif(INTERPRETED, reason="runs in the interpreter already")
def test_in_the_interpreter():
    tests = [sys.executable, "-m", "pytest", __file__, "-m", "gpu", "-q", "-x"]
    done = subprocess.run(
        [*tests, "-p", "no:cacheprovider"],
        env=os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def ptx(monkeypatch, tmp_path):
    """What the kernels launched in a test compile to, for a device that need not be there."""
    assembly: dict[str, str] = {}

    def compile_only(kernel, *args, grid, warmup, enable_fp_fusion=True, **kwargs):
        values = dict(zip(kernel.arg_names, args, strict=False)) | kwargs
        types = {p.name: argument_type(p, values[p.name]) for p in kernel.params}
        constants = {
            (p.num,): values[p.name] for p in kernel.params if types[p.name] == "constexpr"
        }
        binary = triton.compile(
            triton.compiler.ASTSource(kernel, types, constants),
            target=triton.backends.compiler.GPUTarget("cuda", 80, 32),
            options={"enable_fp_fusion": enable_fp_fusion},
        )
        assembly[kernel.__name__] = binary.asm["ptx"]

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(triton.runtime.jit.JITFunction, "run", compile_only)
    return assembly


def argument_type(parameter, value) -> str:
    """What Triton's launcher passes a value as; it compiles a 1 in."""
    if parameter.is_constexpr or value is None:
        return "constexpr"
    if isinstance(value, Tensor):
        return "*" + {"float": "fp", "bfloat": "bf"}[str(value.dtype)[6:-2]] + str(value.dtype)[-2:]
    return parameter.annotation_type or ("constexpr" if value == 1 else "i32")


@pytest.mark.skipif(INTERPRETED, reason="compiles nothing")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("learned", [False, True])
def test_lif_compiles_to_the_arithmetic_of_the_reference(ptx, dtype, learned):
    x, leak = torch.zeros(4, 300, dtype=dtype), torch.tensor(0.5)
    settings = (3.0, 1.0, None, True, False, *shape_of(ATan()))
    inputs = (x, None, leak if learned else None)
    lif_gpu.lif_forward(*inputs, *settings)
    lif_gpu.lif_backward(x, None, *inputs, *settings)
    for code in (ptx["_forward"], ptx["_backward"]):
        assert "fma." not in code
    assert "div.full" not in ptx["_forward"]
    assert ("div.rn" in ptx["_forward"]) is not learned


@pytest.mark.skipif(INTERPRETED, reason="compiles nothing")
@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_psn_compiles_to_full_precision(ptx, dtype, k):
    real = torch.promote_types(dtype, torch.float32)
    x, weight, threshold = torch.zeros(20, 300).to(dtype), torch.zeros(20, 20), torch.tensor(1.0)
    settings = (20, k, *shape_of(ATan()))
    psn_gpu.psn_forward(x, weight, threshold, *settings, False)
    psn_gpu.psn_backward(x, x, weight, threshold, x.new_empty(0, dtype=real), *settings, False)
    psn_gpu.psn_backward(x, x, weight, threshold, x.to(real), *settings, True)
    assert ptx.keys() == {"_product", "_gate", "_parameter_gradient"}
    assert not any("tf32" in code for code in ptx.values())


@pytest.mark.skipif(INTERPRETED, reason="compiles nothing")
def test_one_neuron_and_one_step_compile(ptx):
    x, one = torch.zeros(1, 1), torch.ones(1, 1)
    settings = (3.0, 1.0, 0.0, True, False, *shape_of(ATan()))
    lif_gpu.lif_forward(x, None, None, *settings)
    lif_gpu.lif_backward(x, x[0], x, x[0], None, *settings)
    for k in (None, 1):
        psn_gpu.psn_forward(x, one, one[0], 1, k, *shape_of(ATan()), False)
        psn_gpu.psn_backward(x, x, one, one[0], x.new_empty(0), 1, k, *shape_of(ATan()), False)
    assert len(ptx) == 4


def to_device(*tensors: Tensor | None) -> list[Any]:
    return [None if t is None else t.detach().to(DEVICE) for t in tensors]


def assert_gradients(ours: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for actual, wanted in zip(ours, expected, strict=True):
        coarse = wanted.dtype in (torch.bfloat16, torch.float16)
        tolerance = 1e-2 if coarse else 1e-5
        largest = max(1.0, wanted.abs().max().item())
        torch.testing.assert_close(
            actual.cpu().to(wanted.dtype), wanted, rtol=tolerance, atol=tolerance * largest
        )


def check_lif(
    x: Tensor,
    *,
    state: bool = True,
    learned: bool = False,
    tau: float = 3.0,
    reset: float | None = 0.0,
    decay_input: bool = True,
    detach_reset: bool = False,
    surrogate: Surrogate = SURROGATES[0],
    gradient_of: str = "both",
) -> None:
    x = x.clone().requires_grad_()
    voltage = leak = None
    if state:
        voltage = torch.rand(x.shape[1:], dtype=F.state_dtype(x)).requires_grad_()
    if learned:
        leak = torch.tensor(0.37, requires_grad=True)
    spikes, (after,) = F.lif(
        x,
        None if voltage is None else F.LIFState(voltage),
        tau=tau,
        leak=leak,
        threshold=1.1,
        reset=reset,
        decay_input=decay_input,
        detach_reset=detach_reset,
        surrogate=surrogate,
    )
    assert 0 < spikes.float().mean() < 1
    settings = (tau, 1.1, reset, decay_input, detach_reset, *shape_of(surrogate))
    inputs = to_device(x, voltage, leak)
    actual, actual_after = lif_gpu.lif_forward(*inputs, *settings)
    assert actual.dtype == x.dtype
    assert torch.equal(actual.cpu(), spikes)
    assert torch.equal(actual_after.cpu(), after)

    g_spikes = None if gradient_of == "after" else torch.randn_like(spikes)
    g_after = None if gradient_of == "spikes" else torch.randn_like(after)
    outputs = [(spikes, g_spikes), (after, g_after)]
    asked, weights = zip(*((y, g) for y, g in outputs if g is not None), strict=True)
    sought = [(0, x), (1, voltage), (2, leak)]
    at, leaves = zip(*((i, leaf) for i, leaf in sought if leaf is not None), strict=True)
    expected = torch.autograd.grad(asked, leaves, weights)
    grads = lif_gpu.lif_backward(*to_device(g_spikes, g_after), *inputs, *settings)
    assert_gradients(tuple(grads[i] for i in at), expected)


@on_device
@pytest.mark.gpu
@pytest.mark.parametrize(
    ("case", "options"),
    [*enumerate(itertools.product((None, 0.0, -0.25), *((True, False),) * 3))],
)
def test_lif_with_every_option(case, options):
    reset, decay_input, detach_reset, learned = options
    torch.manual_seed(case)
    check_lif(
        torch.randn(5, LIFS) * 1.5 + 0.5,
        learned=learned,
        reset=reset,
        decay_input=decay_input,
        detach_reset=detach_reset,
        surrogate=SURROGATES[(case // 2) % 6],
    )


@on_device
@pytest.mark.gpu
@pytest.mark.parametrize("T", [1, 2, 7, 33])
@pytest.mark.parametrize("learned", [False, True])
def test_lif_of_every_length(T, learned):
    torch.manual_seed(T)
    check_lif(torch.randn(T, 17) * 3 + 3, state=False, learned=learned)


@on_device
@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_lif_of_every_dtype(dtype):
    torch.manual_seed(0)
    check_lif((torch.randn(7, 3, 100, dtype=torch.float64) * 1.5 + 0.5).to(dtype), reset=None)
    check_lif(torch.randn(7, 30).to(dtype) * 1.5 + 0.5, learned=True, reset=-0.1)


@on_device
@pytest.mark.gpu
def test_lif_without_leak_with_one_gradient_and_in_any_layout():
    torch.manual_seed(0)
    x = torch.randn(4, 2, 3, 5, 5) + 0.3
    check_lif(x, tau=float("inf"), decay_input=False)
    check_lif(x, gradient_of="after")
    check_lif(x.transpose(1, 2), gradient_of="spikes")
    check_lif(x.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3))
    check_lif(x.flatten(1)[:, :1] * 4 + 4, state=False)


def test_lif_of_no_neurons():
    settings = (2.0, 1.0, 0.0, True, False, *shape_of(ATan()))
    x = torch.zeros(3, 0)
    spikes, after = lif_gpu.lif_forward(x, None, None, *settings)
    g_x, g_before, g_leak = lif_gpu.lif_backward(x, None, x, None, None, *settings)
    assert (spikes.shape, after.shape) == ((3, 0), (0,))
    assert (g_x.shape, g_before.shape, g_leak.shape) == ((3, 0), (0,), ())


def dyadic(*shape: int) -> Tensor:
    """Numbers whose sums of products are exact, and often just at threshold."""
    return torch.randint(-8, 9, shape) / 4


def full_weight(weight: Tensor, k: int | None, inputs: int, steps: int) -> Tensor:
    if weight.ndim == 1:
        return F.sliding_weight(weight, inputs)[-steps:]
    if k is None:
        return weight
    return weight * F.band_mask(inputs, k)[-steps:].to(weight.dtype)


def check_psn(
    x: Tensor,
    weight: Tensor,
    threshold: Tensor,
    steps: int,
    k: int | None = None,
    *,
    keep: bool = False,
    surrogate: Surrogate = SURROGATES[0],
) -> None:
    leaves = [t.clone().requires_grad_() for t in (x, weight, threshold)]
    full = full_weight(leaves[1], k, x.shape[0], steps)
    spikes = F.psn(leaves[0], full, leaves[2], surrogate)
    g_spikes = torch.randn_like(spikes)
    expected = torch.autograd.grad(spikes, leaves, g_spikes)
    settings = (steps, k, *shape_of(surrogate))
    inputs = to_device(*leaves)
    actual, kept = psn_gpu.psn_forward(*inputs, *settings, keep)
    assert actual.dtype == x.dtype
    assert torch.equal(actual.cpu(), spikes)
    assert kept.shape == (spikes.shape if keep else (0,))
    grads = psn_gpu.psn_backward(*to_device(g_spikes), *inputs, kept, *settings, keep)
    assert_gradients(grads, expected)


@on_device
@pytest.mark.gpu
@pytest.mark.parametrize("T", [1, 2, 7, 33, 70])
@pytest.mark.parametrize("keep", [False, True])
def test_dense(T, keep):
    torch.manual_seed(T)
    check_psn(
        dyadic(T, PSNS),
        dyadic(T, T),
        dyadic(T),
        T,
        keep=keep,
        surrogate=SURROGATES[(T + keep) % 6],
    )


@on_device
@pytest.mark.gpu
def test_autocast_has_no_say():
    torch.manual_seed(0)
    x, weight, threshold = to_device(torch.randn(70, 50), torch.randn(70, 70), torch.randn(70))
    settings = (70, None, *shape_of(ATan()))
    spikes, kept = psn_gpu.psn_forward(x, weight, threshold, *settings, True)
    grads = psn_gpu.psn_backward(x, x, weight, threshold, kept, *settings, True)
    with torch.autocast(DEVICE, torch.bfloat16):
        again, _ = psn_gpu.psn_forward(x, weight, threshold, *settings, True)
        grads_again = psn_gpu.psn_backward(x, x, weight, threshold, kept, *settings, True)
    assert torch.equal(again, spikes)
    assert all(map(torch.equal, grads_again, grads))


@on_device
@pytest.mark.gpu
def test_dense_of_another_length_than_its_input():
    torch.manual_seed(0)
    check_psn(dyadic(5, 20), dyadic(9, 5), dyadic(9), 9)
    check_psn(dyadic(70, 20), dyadic(3, 70), dyadic(), 3)


@on_device
@pytest.mark.gpu
@pytest.mark.parametrize(("T", "k"), [(1, 1), (2, 2), (7, 1), (7, 3), (33, 33), (40, 5)])
@pytest.mark.parametrize("history", [0, 2])
def test_band_and_window(T, k, history):
    torch.manual_seed(T)
    x, surrogate = dyadic(history + T, PSNS), SURROGATES[(T + k) % 6]
    check_psn(x, dyadic(T, history + T), dyadic(T), T, k, surrogate=surrogate, keep=k == 5)
    check_psn(x, dyadic(k), dyadic(), T, k, surrogate=surrogate, keep=k == 5)


@on_device
@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("k", [None, 3])
def test_psn_of_every_dtype(dtype, k):
    torch.manual_seed(0)
    real = torch.promote_types(dtype, torch.float32)
    check_psn(dyadic(20, 30).to(dtype), dyadic(20, 20).to(real), dyadic(20).to(real), 20, k)
    if k is None:
        check_psn(dyadic(66, 30).to(dtype), dyadic(66, 66).to(real), dyadic(66).to(real), 66)


@on_device
@pytest.mark.gpu
def test_window_longer_than_the_sequence():
    torch.manual_seed(0)
    check_psn(dyadic(4, 20), dyadic(9), dyadic(), 4, 9)
    check_psn(dyadic(9, 20), dyadic(3), dyadic(), 4, 3)


@on_device
@pytest.mark.gpu
def test_psn_of_any_layout():
    torch.manual_seed(0)
    x = dyadic(6, 2, 5, 3).permute(0, 1, 3, 2)
    for k in (None, 2):
        check_psn(x, dyadic(6, 6), dyadic(6), 6, k)
        check_psn(x.transpose(0, 1), dyadic(2, 2), dyadic(2), 2, k)


@on_device
@pytest.mark.gpu
def test_spikes_differ_from_the_reference_only_within_rounding():
    torch.manual_seed(0)
    x, weight, threshold = torch.randn(33, 500), torch.randn(33, 33), torch.randn(33)
    settings = (33, None, *shape_of(ATan()))
    spikes, _ = psn_gpu.psn_forward(*to_device(x, weight, threshold), *settings, False)
    charge = weight.double() @ x.double() - threshold.double()[:, None]
    size = weight.abs() @ x.abs() + threshold.abs()[:, None]
    sure = charge.abs() > 34 * torch.finfo(torch.float32).eps * size
    assert sure.float().mean() > 0.99
    assert torch.equal(spikes.cpu()[sure], (charge >= 0).float()[sure])


def test_psn_of_no_neurons():
    x, weight, threshold = torch.zeros(3, 0), torch.ones(3, 3), torch.ones(3)
    settings = (3, None, *shape_of(ATan()))
    spikes, kept = psn_gpu.psn_forward(x, weight, threshold, *settings, False)
    g_x, g_weight, g_threshold = psn_gpu.psn_backward(
        x, x, weight, threshold, kept, *settings, True
    )
    assert (spikes.shape, g_x.shape) == ((3, 0), (3, 0))
    assert not g_weight.any()
    assert not g_threshold.any()
