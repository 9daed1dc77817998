"""The LIF family on the GPU: one pass over time, the membrane in registers.

A program is a block of neighbouring neurons. The arithmetic is that of `functional`, operation by
operation: division rounds to nearest and no product is fused into a sum, so the spikes are those of
the CPU to the last bit. Half precision is loaded and stored as it is and computed in float32.
"""

# Triton compiles the kernels; their scalars and blocks are not what a type checker takes them for
# pyright: reportArgumentType=false, reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportAssignmentType=false, reportGeneralTypeIssues=false, reportInvalidTypeForm=false
# pyright: reportMissingImports=false

import math
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from engram.kernel.memory import laid_out_like, time_major
from engram.kernel.native_gpu import REAL, number
from engram.kernel.team import bits
from engram.neuron.functional import state_dtype
from engram.neuron.kernel.lif_launch import Settings
from engram.neuron.kernel.slope_gpu import slope

BLOCK = 256
"""Neurons a program, two a thread."""
STAGES = tl.constexpr(4)
"""Steps whose inputs are under way at once: the loop over time hides the memory's latency."""


@triton.jit
def _decayed(current, tau, LEARNED: tl.constexpr):
    """What of a current one step lets through; `tau` is 1/τ where the leak is learned."""
    if LEARNED:
        y = current * tau
    elif current.dtype == tl.float64:
        y = current / tau
    else:
        y = tl.div_rn(current, tau)  # "/" is approximate in float32
    return y


@triton.jit
def _charge(v, x, rest, tau, LEARNED: tl.constexpr, DECAYS: tl.constexpr, LEAKS: tl.constexpr):
    """H[t] from V[t−1] and X[t]."""
    drift = v - rest
    if not LEAKS:
        h = v + x
    elif DECAYS:
        h = v + _decayed(x - drift, tau, LEARNED)
    else:
        h = v - _decayed(drift, tau, LEARNED) + x
    return h


@triton.jit
def _reset(h, threshold, rest, SOFT: tl.constexpr):
    """S[t] and V[t] from H[t]."""
    spike = (h >= threshold).to(h.dtype)
    v = h - spike * threshold if SOFT else (1 - spike) * h + spike * rest
    return spike, v


@triton.jit
def _time_constant(tau, leak, REAL: tl.constexpr):
    """τ, or 1/τ where it is learned."""
    return number(tau, REAL) if leak is None else tl.load(leak).to(REAL)


@triton.jit
def _start(before, neuron, inside, rest, BLOCK: tl.constexpr, REAL: tl.constexpr):
    """The membrane before the first step."""
    v = tl.zeros([BLOCK], REAL) + rest
    return v if before is None else tl.load(before + neuron, inside, 0.0)


@triton.jit
def _forward(
    x,
    before,
    leak,
    spikes,
    after,
    steps,
    n,
    tau: tl.int64,
    threshold: tl.int64,
    rest: tl.int64,
    REAL: tl.constexpr,
    DECAYS: tl.constexpr,
    LEAKS: tl.constexpr,
    SOFT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Charge, fire, reset: each input is read once and each spike written once."""
    neuron = tl.cast(tl.program_id(0), tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = neuron < n
    tau = _time_constant(tau, leak, REAL)
    threshold, rest = number(threshold, REAL), number(rest, REAL)
    v = _start(before, neuron, inside, rest, BLOCK, REAL)
    for t in tl.range(steps, num_stages=STAGES):
        at = tl.cast(t, tl.int64) * n + neuron
        x_t = tl.load(x + at, inside, 0.0).to(REAL)
        h = _charge(v, x_t, rest, tau, leak is not None, DECAYS, LEAKS)
        spike, v = _reset(h, threshold, rest, SOFT)
        tl.store(spikes + at, spike.to(spikes.dtype.element_ty), inside)
    tl.store(after + neuron, v, inside)


@triton.jit
def _backward(
    g_spikes,
    g_after,
    x,
    before,
    leak,
    g_x,
    g_before,
    g_leak,
    starts,
    segment,
    steps,
    n,
    length,
    tau: tl.int64,
    threshold: tl.int64,
    rest: tl.int64,
    scale: tl.int64,
    width: tl.int64,
    REAL: tl.constexpr,
    DECAYS: tl.constexpr,
    LEAKS: tl.constexpr,
    SOFT: tl.constexpr,
    DETACH: tl.constexpr,
    SHAPE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Two sweeps: forward, keeping the membrane every `length` steps; back, segment by segment.

    `starts` and `segment` are scratch: the membrane at the start of each segment, and before each
    step of the segment at hand.
    """
    LEARNED: tl.constexpr = leak is not None
    neuron = tl.cast(tl.program_id(0), tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = neuron < n
    tau = _time_constant(tau, leak, REAL)
    threshold, rest = number(threshold, REAL), number(rest, REAL)
    scale, width = number(scale, REAL), number(width, REAL)
    last = (steps - 1) // length

    v = _start(before, neuron, inside, rest, BLOCK, REAL)
    for s in range(last):
        tl.store(starts + tl.cast(s, tl.int64) * n + neuron, v, inside)
        for j in tl.range(length, num_stages=STAGES):
            at = tl.cast(s * length + j, tl.int64) * n + neuron
            x_t = tl.load(x + at, inside, 0.0).to(REAL)
            _, v = _reset(_charge(v, x_t, rest, tau, LEARNED, DECAYS, LEAKS), threshold, rest, SOFT)
    tl.store(starts + tl.cast(last, tl.int64) * n + neuron, v, inside)

    rate = tau if LEARNED else 1 / tau
    gv = tl.zeros([BLOCK], REAL)
    if g_after is not None:
        gv += tl.load(g_after + neuron, inside, 0.0)
    of_leak = tl.zeros([BLOCK], REAL)
    for back in range(last + 1):
        first = (last - back) * length
        many = tl.minimum(length, steps - first)
        tl.debug_barrier()  # what one thread wrote, another may read
        v = tl.load(starts + tl.cast(last - back, tl.int64) * n + neuron, inside, 0.0)
        for j in tl.range(many, num_stages=STAGES):
            tl.store(segment + tl.cast(j, tl.int64) * n + neuron, v, inside)
            at = tl.cast(first + j, tl.int64) * n + neuron
            x_t = tl.load(x + at, inside, 0.0).to(REAL)
            _, v = _reset(_charge(v, x_t, rest, tau, LEARNED, DECAYS, LEAKS), threshold, rest, SOFT)
        tl.debug_barrier()
        for i in tl.range(many, num_stages=STAGES):
            j = many - 1 - i
            at = tl.cast(first + j, tl.int64) * n + neuron
            x_t = tl.load(x + at, inside, 0.0).to(REAL)
            v = tl.load(segment + tl.cast(j, tl.int64) * n + neuron, inside, 0.0)
            h = _charge(v, x_t, rest, tau, LEARNED, DECAYS, LEAKS)
            ds_dh = scale * slope(width * (h - threshold), SHAPE)
            spike, _ = _reset(h, threshold, rest, SOFT)
            dv_dh = tl.full([BLOCK], 1.0, REAL) if SOFT else 1 - spike
            if not DETACH:
                # none from an infinite charge, where dS/dH is 0
                path = -threshold * ds_dh if SOFT else (rest - h) * ds_dh
                dv_dh += tl.where(tl.abs(h) == float("inf"), 0.0, path)
            gh = gv * dv_dh
            if g_spikes is not None:
                gh += tl.load(g_spikes + at, inside, 0.0).to(REAL) * ds_dh
            tl.store(g_x + at, (gh * rate if DECAYS else gh).to(g_x.dtype.element_ty), inside)
            gv = gh * (1 - rate)
            if LEARNED:
                of_leak += gh * ((x_t - (v - rest)) if DECAYS else rest - v)
    tl.store(g_before + neuron, gv, inside)
    if LEARNED:
        tl.store(g_leak + tl.program_id(0), tl.sum(of_leak.to(tl.float64)))


def lif_forward(
    x: Tensor, voltage: Tensor | None, leak: Tensor | None, *numbers: Any
) -> tuple[Tensor, Tensor]:
    """`engram::lif` on the GPU: spikes in the dtype of x, and the membrane after.

    The numbers are those of `Settings`.
    """
    settings = Settings(*numbers)
    real = state_dtype(x)
    inputs = time_major(x)
    spikes, after = torch.empty_like(inputs), torch.empty_like(inputs[0], dtype=real)
    if x.numel():
        n = after.numel()
        with torch.cuda.device_of(x):
            _forward[(triton.cdiv(n, BLOCK),)](
                inputs,
                None if voltage is None else laid_out_like(after, voltage.to(real)),
                leak,
                spikes,
                after,
                x.shape[0],
                n,
                *map(bits, (settings.tau, settings.threshold, settings.reset or 0.0)),
                **_form(real, leak, settings),
            )
    return spikes, after


def lif_backward(
    g_spikes: Tensor | None,
    g_after: Tensor | None,
    x: Tensor,
    voltage: Tensor | None,
    leak: Tensor | None,
    *numbers: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    """`engram::lif_backward` on the GPU: gradients of x, of the membrane before, and of the leak.

    The charge is recomputed. The scratch is 2√T membranes a neuron: at the starts of the √T
    segments, and before each of the √T steps of one segment.
    """
    settings = Settings(*numbers)
    tau, threshold, reset, _, detach_reset, shape, scale, width = settings
    real = state_dtype(x)
    inputs = time_major(x)
    g_x, g_before = torch.empty_like(inputs), torch.empty_like(inputs[0], dtype=real)
    steps, n = x.shape[0], g_before.numel()
    programs = triton.cdiv(n, BLOCK)
    g_leak = x.new_zeros(programs if leak is not None else 0, dtype=torch.float64)
    if x.numel():
        length = math.isqrt(steps - 1) + 1
        with torch.cuda.device_of(x):
            _backward[(programs,)](
                None if g_spikes is None else laid_out_like(inputs, g_spikes),
                None if g_after is None else laid_out_like(g_before, g_after.to(real)),
                inputs,
                None if voltage is None else laid_out_like(g_before, voltage.to(real)),
                leak,
                g_x,
                g_before,
                g_leak,
                x.new_empty(triton.cdiv(steps, length), n, dtype=real),
                x.new_empty(length, n, dtype=real),
                steps,
                n,
                length,
                *map(bits, (tau, threshold, reset or 0.0, scale, width)),
                DETACH=detach_reset,
                SHAPE=shape,
                **_form(real, leak, settings),
            )
    return g_x, g_before, g_leak.sum()


def _form(real: torch.dtype, leak: Tensor | None, settings: Settings) -> dict[str, Any]:
    """The compile-time arguments of both kernels."""
    decays = settings.decay_input
    return {
        "REAL": REAL[real],
        "DECAYS": decays,
        "LEAKS": leak is not None or decays or not math.isinf(settings.tau),
        "SOFT": settings.reset is None,
        "BLOCK": BLOCK,
        "enable_fp_fusion": False,
    }
