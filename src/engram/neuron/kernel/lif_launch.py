"""Runs the kernels of the LIF family: which of them serves, and where it reads and writes."""

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from engram.errors import EngramError
from engram.kernel.memory import REALS, address, laid_out_like, new_like, stored, time_major
from engram.kernel.team import Entry, bits, entry, launch
from engram.neuron import functional
from engram.neuron.check import (
    STATE_DTYPES,
    check_firing,
    check_gradient,
    check_leak,
    check_membrane,
    check_sequence,
    rounded,
)
from engram.neuron.kernel.shape import check_shape, surrogate_of

BLOCK, LONG_BLOCK, SHORT_BLOCK = 4096, 8192, 512
"""Neurons a piece: a block's membrane stays in the first-level cache; what comes from memory rather
than from a cache comes faster in longer runs; few neurons fall into four pieces for the threads."""
IN_CACHE = 1 << 21
"""Neuron-steps whose input and spikes a third-level cache holds."""
SCRATCH = 1 << 18
"""Charges that the backward of one piece recomputes and holds, in the second-level cache."""


class Settings(NamedTuple):
    """What of a LIF is no tensor, in the order of the operator's arguments."""

    tau: float
    threshold: float
    reset: float | None
    decay_input: bool
    detach_reset: bool
    shape: int
    scale: float
    width: float


def forward(
    x: Tensor,
    voltage: Tensor | None,
    leak: Tensor | None,
    settings: Settings,
    *,
    single_step: bool = False,
) -> tuple[Tensor, Tensor]:
    """Spikes of a sequence, or of one step, and the membrane after it; see `lif.lif_operator`."""
    if single_step and not (x.is_contiguous() and x.numel() and x.ndim):
        spikes, after = forward(x.unsqueeze(0), voltage, leak, settings)
        return spikes.squeeze(0), after
    check(x, voltage, leak, single_step=single_step)
    real = STATE_DTYPES[x.dtype]
    inputs = stored(x, real) if single_step else time_major(x if x.dtype is real else x.to(real))
    spikes, before = new_like(inputs), None if voltage is None else stored(voltage, real)
    if single_step:
        after = new_like(inputs)
    elif before is not None and before.is_contiguous() and inputs.is_contiguous():
        after = new_like(before)  # selecting a step of the inputs takes longer
    else:
        after = new_like(inputs[0])
    before = None if before is None else laid_out_like(after, before)
    if x.numel():
        kernel, numbers = _forward_kernel(real, leak is not None, settings)
        n = after.numel()
        block = block_of(n, x.numel())
        launch(
            kernel,
            -(-n // block),
            x.numel(),
            inputs.data_ptr(),
            spikes.data_ptr(),
            address(before),
            after.data_ptr(),
            1 if single_step else x.shape[0],
            n,
            block,
            numbers[0] if leak is None else bits(leak.item()),
            *numbers[1:],
            threads=torch.get_num_threads(),
        )
    return spikes if x.dtype is real else spikes.to(x.dtype), after


def backward(
    g_spikes: Tensor | None,
    g_after: Tensor | None,
    x: Tensor,
    voltage: Tensor | None,
    leak: Tensor | None,
    settings: Settings,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Gradients of x, voltage and leak, which `forward` has checked; None for absent ones."""
    real = STATE_DTYPES[x.dtype]
    inputs = time_major(x if x.dtype == real else x.to(real))
    g_x = new_like(inputs)
    g_before = None if voltage is None else new_like(inputs[0])
    steps = x.shape[0]
    n = x.numel() // steps
    block = max(64, min(block_of(n, x.numel()), SCRATCH // steps // 64 * 64))
    pieces = -(-n // block)
    g_leak = None if leak is None else torch.zeros(pieces, dtype=torch.float64)
    if x.numel():
        step = inputs[0]
        g = torch.zeros_like(inputs) if g_spikes is None else laid_out_like(inputs, g_spikes)
        g = g if g.dtype == real else g.to(real)
        before = None if voltage is None else laid_out_like(step, voltage.to(real))
        after = None if g_after is None else laid_out_like(step, g_after.to(real))
        kernel, numbers = _backward_kernel(real, leak is not None, settings)
        if leak is not None:
            numbers = _leak_words(leak.item(), settings, numbers)
        launch(
            kernel,
            pieces,
            x.numel(),
            inputs.data_ptr(),
            g.data_ptr(),
            g_x.data_ptr(),
            address(before),
            address(after),
            address(g_before),
            address(g_leak),
            steps,
            n,
            block,
            *numbers,
            threads=torch.get_num_threads(),
        )
    return (
        g_x if x.dtype == real else g_x.to(x.dtype),
        g_before,
        None if g_leak is None else g_leak.sum(),
    )


def block_of(neurons: int, size: int) -> int:
    """Neurons a piece, by the number of neurons and of neuron-steps alone."""
    quarter = -(-neurons // 256) * 64
    return min(BLOCK if size <= IN_CACHE else LONG_BLOCK, max(SHORT_BLOCK, quarter))


@lru_cache(256)
def _forward_kernel(
    real: torch.dtype, learned: bool, settings: Settings
) -> tuple[Entry, tuple[int, ...]]:
    """The kernel of these settings, and its last words: τ, threshold, reset potential."""
    from engram.neuron.kernel import lif_cpu  # Numba is loaded when first needed

    check_settings(real, learned, settings)
    form = form_of(real, learned, settings)
    numbers = forward_numbers(real, form[0], settings)
    return entry(lif_cpu.forward(REALS[real], *form)), tuple(map(bits, numbers))


@lru_cache(256)
def _backward_kernel(
    real: torch.dtype, learned: bool, settings: Settings
) -> tuple[Entry, tuple[int, ...]]:
    """The kernel of these settings, and its last words, from τ to the surrogate's width."""
    from engram.neuron.kernel import lif_cpu

    check_settings(real, learned, settings)
    form = form_of(real, learned, settings)
    address = lif_cpu.backward(REALS[real], *form, learned, settings.detach_reset, settings.shape)
    return entry(address), tuple(map(bits, backward_numbers(real, form[0], settings)))


def _leak_words(leak: float, settings: Settings, words: tuple[int, ...]) -> tuple[int, ...]:
    """The last words of the backward kernel with a learned leak in place of τ."""
    dh_dx = bits(leak if settings.decay_input else 1.0)
    return (bits(leak), *words[1:3], dh_dx, bits(1.0 - leak), *words[5:])


def form_of(real: torch.dtype, learned: bool, settings: Settings) -> tuple[int, bool, int]:
    """Which kernel: how it charges, whether the input decays, how it resets."""
    from engram.neuron.kernel import lif_cpu as cpu

    tau, reset = rounded(settings.tau, real), settings.reset
    if learned or math.frexp(tau)[0] == 0.5:  # by a power of two, both round alike
        kind = cpu.MULTIPLY
    elif math.isinf(settings.tau) and not settings.decay_input:
        kind = cpu.INTEGRATE
    else:
        kind = cpu.DIVIDE
    return (
        kind,
        settings.decay_input,
        cpu.SOFT if reset is None else cpu.TO_ZERO if reset == 0.0 else cpu.TO_VALUE,
    )


def forward_numbers(real: torch.dtype, kind: int, settings: Settings) -> tuple[float, ...]:
    """τ, or 1/τ where a kernel of this kind multiplies; threshold; reset potential."""
    from engram.neuron.kernel import lif_cpu

    tau = rounded(settings.tau, real)
    return (
        1.0 / tau if kind == lif_cpu.MULTIPLY else tau,
        settings.threshold,
        settings.reset or 0.0,
    )


def backward_numbers(real: torch.dtype, kind: int, settings: Settings) -> tuple[float, ...]:
    """`forward_numbers`, dH/dX and dH/dV, and the scale and width of the surrogate gradient."""
    leak = rounded(1.0 / rounded(settings.tau, real), real)
    return (
        *forward_numbers(real, kind, settings),
        *(leak if settings.decay_input else 1.0, 1.0 - leak, settings.scale, settings.width),
    )


def check(
    x: Tensor, voltage: Tensor | None, leak: Tensor | None, *, single_step: bool = False
) -> None:
    """Raise ValueError if the kernels would read outside their arguments."""
    check_sequence(x)
    if voltage is not None:
        check_membrane(x, voltage, x.shape if single_step else x.shape[1:])
    if leak is not None:
        check_leak(x, leak)


def check_gradients(x: Tensor, g_spikes: Tensor | None, g_after: Tensor | None) -> None:
    """Raises ValueError where the backward kernels would read what is not there."""
    if g_spikes is not None:
        check_gradient("spikes", g_spikes, x, x.shape)
    if g_after is not None:
        check_gradient("membrane", g_after, x, x.shape[1:])


def check_settings(real: torch.dtype, learned: bool, settings: Settings) -> None:
    """Raises ValueError where the numbers of an operator have no meaning in this dtype."""
    if not learned and not settings.tau >= 1.0:
        raise EngramError(
            f"tau={settings.tau!r}: the membrane time constant must be at least 1 step; it is "
            "infinite without a leak"
        )
    check_firing(real, settings.threshold, settings.reset)
    check_shape(settings.shape, settings.scale, settings.width)


def reference(
    settings: Settings, x: Tensor, voltage: Tensor | None, leak: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The operator in plain torch, for derivatives that the kernels do not have."""
    spikes, after = functional.lif(
        x,
        None if voltage is None else functional.LIFState(voltage),
        tau=settings.tau,
        leak=leak,
        threshold=settings.threshold,
        reset=settings.reset,
        decay_input=settings.decay_input,
        detach_reset=settings.detach_reset,
        surrogate=surrogate_of(settings.shape, settings.scale, settings.width),
    )
    return spikes, after.voltage
