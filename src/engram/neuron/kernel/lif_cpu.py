"""The LIF family on the CPU: one pass over time, the membrane in the first-level cache.

A piece of work is a block of neighbouring neurons. The inner loops run over one-dimensional slices
of a block, the form that the compiler turns into vector code. The arithmetic is that of
`functional`, operation by operation, so the spikes are equal to the last bit.
"""

# Numba compiles the kernels; their scalars and arrays are not what a type checker takes them for
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportPrivateImportUsage=false, reportPossiblyUnboundVariable=false

from functools import cache
from typing import Any

import numpy as np
from numba import carray, njit

from engram.kernel.native import array_at, compile_kernel, number_at, take
from engram.neuron.kernel.slope import slope

INTEGRATE, DIVIDE, MULTIPLY = range(3)
"""How the leak enters: not at all, divided by τ, or times 1/τ, which is cheaper."""
SOFT, TO_ZERO, TO_VALUE = range(3)


@njit(error_model="numpy")
def charge(kind: int, decays: bool, v: Any, x: Any, rest: Any, tau: Any) -> Any:
    """H[t] from V[t−1] and X[t]; `tau` is 1/τ where the leak multiplies."""
    if kind == INTEGRATE:
        return v + x
    if kind == DIVIDE:
        return v + (x - (v - rest)) / tau if decays else v - (v - rest) / tau + x
    return v + (x - (v - rest)) * tau if decays else v - (v - rest) * tau + x


@njit(error_model="numpy")
def reset_membrane(reset: int, h: Any, spike: Any, threshold: Any, rest: Any, one: Any) -> Any:
    """V[t] from H[t] and S[t]."""
    if reset == SOFT:
        return h - spike * threshold
    if reset == TO_ZERO:
        return (one - spike) * h
    return (one - spike) * h + spike * rest


@njit(error_model="numpy")
def gradient_of_charge(
    reset: int,
    detach: bool,
    h: Any,
    ds_dh: Any,
    gs: Any,
    gv: Any,
    threshold: Any,
    rest: Any,
    one: Any,
) -> Any:
    """dL/dH[t] from H[t], dS/dH and the gradients of S[t] and V[t]."""
    spike = one if h >= threshold else one - one
    dv_dh = one if reset == SOFT else one - spike
    if not detach and reset == SOFT:
        dv_dh += -threshold * ds_dh
    elif not detach:  # an infinite charge passes nothing through its spike: dS/dH is 0 there
        dv_dh += one - one if abs(h) == one / (one - one) else (rest - h) * ds_dh
    return gs * ds_dh + gv * dv_dh


@cache
def forward(real: type[np.floating], kind: int, decays: bool, reset: int) -> int:
    """Address of the forward kernel.

    Its words: x, spikes `(T, N)`; the membrane before (0 for rest) and after, `(N,)`; T, N, the
    block; τ (or 1/τ), threshold, reset potential.
    """
    one, zero = real(1), real(0)

    def kernel(words: Any) -> None:
        w = carray(words, 12)
        steps, n, block = w[6], w[7], w[8]
        x, s = array_at(w[2], zero, steps * n), array_at(w[3], zero, steps * n)
        before, after = array_at(w[4], zero, n), array_at(w[5], zero, n)
        tau, threshold = real(number_at(w[9])), real(number_at(w[10]))
        rest = real(number_at(w[11]))
        piece = take(words)
        while piece >= 0:
            lo = piece * block
            hi = min(n, lo + block)
            v = after[lo:hi]
            if w[4] != 0:
                v[:] = before[lo:hi]
            else:
                v[:] = rest
            for t in range(steps):
                xt, st = x[t * n + lo : t * n + hi], s[t * n + lo : t * n + hi]
                for i in range(hi - lo):
                    h = charge(kind, decays, v[i], xt[i], rest, tau)
                    spike = one if h >= threshold else zero
                    st[i] = spike
                    v[i] = reset_membrane(reset, h, spike, threshold, rest, one)
            piece = take(words)

    return compile_kernel(kernel)


@cache
def backward(
    real: type[np.floating],
    kind: int,
    decays: bool,
    reset: int,
    learned: bool,
    detach: bool,
    shape: int,
) -> int:
    """Address of the backward kernel, which recomputes H block by block instead of having kept it.

    Its words: x and the gradients of the spikes and of x, `(T, N)`; the membrane before (0 for
    rest), the gradients of the membrane after (0 for none) and before (0 for nowhere), `(N,)`; the
    gradient of 1/τ, one float64 a piece; T, N, the block; τ (or 1/τ), threshold, reset potential,
    dH/dX, dH/dV, and the scale and width of the surrogate gradient.
    """
    one, zero = real(1), real(0)

    def kernel(words: Any) -> None:
        w = carray(words, 19)
        steps, n, block = w[9], w[10], w[11]
        x, gs = array_at(w[2], zero, steps * n), array_at(w[3], zero, steps * n)
        gx = array_at(w[4], zero, steps * n)
        before, g_after = array_at(w[5], zero, n), array_at(w[6], zero, n)
        g_before, g_leak = array_at(w[7], zero, n), array_at(w[8], 0.0, w[1])
        tau, threshold = real(number_at(w[12])), real(number_at(w[13]))
        rest = real(number_at(w[14]))
        dh_dx, dh_dv = real(number_at(w[15])), real(number_at(w[16]))
        scale, width = real(number_at(w[17])), real(number_at(w[18]))
        charged, v, gv = np.empty(steps * block, real), np.empty(block, real), np.empty(block, real)
        begun = np.empty(steps * block if learned else 0, real)
        of_leak = np.empty(block if learned else 0, real)
        piece = take(words)
        while piece >= 0:
            lo = piece * block
            hi = min(n, lo + block)
            m = hi - lo
            if w[5] != 0:
                v[:m] = before[lo:hi]
            else:
                v[:m] = rest
            for t in range(steps):
                xt, ht = x[t * n + lo : t * n + hi], charged[t * block : t * block + m]
                if learned:
                    begun[t * block : t * block + m] = v[:m]
                for i in range(m):
                    h = charge(kind, decays, v[i], xt[i], rest, tau)
                    spike = one if h >= threshold else zero
                    ht[i] = h
                    v[i] = reset_membrane(reset, h, spike, threshold, rest, one)
            if w[6] != 0:
                gv[:m] = g_after[lo:hi]
            else:
                gv[:m] = zero
            of_leak[:m] = zero
            for t in range(steps - 1, -1, -1):
                ht = charged[t * block : t * block + m]
                gst, gxt = gs[t * n + lo : t * n + hi], gx[t * n + lo : t * n + hi]
                if learned:
                    xt, vt = x[t * n + lo : t * n + hi], begun[t * block : t * block + m]
                for i in range(m):
                    h = ht[i]
                    ds_dh = scale * slope(shape, width * (h - threshold), one)
                    gh = gradient_of_charge(
                        reset, detach, h, ds_dh, gst[i], gv[i], threshold, rest, one
                    )
                    gxt[i] = gh * dh_dx
                    gv[i] = gh * dh_dv
                    if learned:
                        dh_dleak = (xt[i] if decays else zero) - (vt[i] - rest)
                        of_leak[i] += gh * dh_dleak
            if w[7] != 0:
                g_before[lo:hi] = gv[:m]
            if learned:
                total = 0.0
                for i in range(m):
                    total += of_leak[i]
                g_leak[piece] = total
            piece = take(words)

    return compile_kernel(kernel)
