"""The parallel multi-compartment neuron: linear compartments, and a reset without a loop."""

import math
from typing import NamedTuple, final

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron.backend import writes_onnx
from engram.neuron.channel import check_channels, log_uniform, per_channel
from engram.neuron.check import check_finite
from engram.neuron.functional import copied_state, state_dtype
from engram.neuron.module import Neuron
from engram.neuron.pair import Pair, pair_recurrence, refuse_state
from engram.neuron.recurrence import linear_recurrence
from engram.neuron.setting import number, spike_function, whole
from engram.neuron.surrogate import Surrogate, Triangle


class PMSNState(NamedTuple):
    """The state of a multi-compartment neuron.

    Attributes:
        compartments: The linear compartments Z in their eigenbasis, complex, `(n, *neurons)`.
        voltage: The output compartment after the last reset, V[t], `(*neurons)`.
    """

    compartments: Tensor
    voltage: Tensor

    __deepcopy__ = copied_state


def compartments(
    x: Float[Tensor, "time *neurons"],
    step: Float[Tensor, "..."],
    rates: Complex[Tensor, "n ..."],
    inputs: Complex[Tensor, "n ..."],
    start: Complex[Tensor, "n *neurons"] | None = None,
) -> Complex[Tensor, "time n *neurons"]:
    """The linear compartments of a neuron, driven by its input, at every step.

    Z[t] = exp(ΛΔ) Z[t−1] + Λ⁻¹(exp(ΛΔ) − 1) B·X[t].

    Args:
        x: Input sequence X.
        step: Δ, positive, broadcast to one step of x.
        rates: Λ, the eigenvalues of the coupling of the compartments, their real part negative,
            each broadcast to one step of x.
        inputs: B, the input weight of each compartment, broadcast likewise.
        start: The compartments before the first step; None is zero.

    References:
        Chen et al., arXiv 2408.14917, the hidden compartments under zero-order hold.
    """
    decay = torch.exp(rates * step)
    gain = (decay - 1) / rates * inputs
    return linear_recurrence(gain * x.to(step.dtype).unsqueeze(1), decay, start)


def modular_charge(
    current: Float[Tensor, "time *neurons"],
    threshold: float,
    start: Float[Tensor, "*neurons"] | None = None,
) -> tuple[Float[Tensor, "time *neurons"], Float[Tensor, "*neurons"]]:
    """The charge of an integrator whose reset leaves the remainder modulo the threshold.

    H[t] = V[t−1] + I[t], V[t] = H[t] mod V_th.

    It needs no loop, because remainders are additive: V[t] = (V[0] + I[1] + … + I[t]) mod V_th.

    Args:
        current: I, non-negative.
        threshold: V_th.
        start: V before the first step; None is zero.

    Returns:
        H, whose gradient is that of I at the same step alone, and V after the last step. Both are
        as exact as the sum: in float32 a chunk of some 10⁴ steps keeps three digits of V.

    References:
        Chen et al., arXiv 2408.14917, the parallel reset.
    """
    # detached, for no_grad would not stop forward-mode derivatives
    start = torch.zeros_like(current[0]) if start is None else start
    total = torch.cat([start.unsqueeze(0), current]).detach().cumsum(0)
    voltage = torch.remainder(total, threshold)
    return voltage[:-1] + current, voltage[-1]


@final
class PMSN(Neuron):
    """Parallel multi-compartment neuron: H[t] = V[t−1] + max(0, Re C·Z[t] + D·X[t]).

    n linear compartments Z, as in `compartments`, drive an output compartment that fires S = Θ(H −
    V_th) and keeps V[t] = H[t] mod V_th. The gradient ignores the carried-over V.

    Args:
        channels: Number of channels with their own parameters, the third axis of the input; 1
            shares one set among all neurons.
        n: Number of linear compartments.
        coupling: Initial coupling strength of neighbouring compartments.
        step_range: The range of the initial Δ, drawn log-uniformly.
        threshold: Firing threshold V_th.
        surrogate: The spike function; `Triangle()` when None.

    Raises:
        ValueError: No channel, no compartment, a threshold that is not positive, or a range of Δ
            that is not positive and rising; and at the call, input whose third axis differs from
            the channels.

    References:
        Chen et al., "PMSN: a parallel multi-compartment spiking neuron for multi-scale temporal
        processing", 2024, arXiv 2408.14917. Its coupling starts at 5 for long sequences and 0.25
        for four steps; the authors draw D, here 1 at the start, from a normal distribution.
    """

    state_type = PMSNState
    complex_state = True

    def __init__(
        self,
        channels: int = 1,
        *,
        n: int = 4,
        coupling: float = 5.0,
        step_range: tuple[float, float] = (1e-3, 1e-1),
        threshold: float = 1.0,
        surrogate: Surrogate | None = None,
    ) -> None:
        super().__init__()
        channels, n = whole("PMSN", "channels", channels), whole("PMSN", "n", n)
        check_channels("PMSN", channels)
        if n < 1:
            raise EngramError(f"PMSN(n={n}): the neuron needs at least 1 linear compartment")
        threshold = number("PMSN", "threshold", threshold)
        coupling = number("PMSN", "coupling", coupling)
        check_finite("PMSN", threshold=threshold, coupling=coupling)
        if abs(coupling) > 1e15:
            raise EngramError(
                f"PMSN(coupling={coupling!r}): its eigenvalues would overflow in float32; the "
                "paper starts from 5, and from 0.25 for four steps"
            )
        if not threshold > 0:
            raise EngramError(
                f"PMSN(threshold={threshold!r}): the reset leaves a remainder by the threshold, "
                "which must be positive"
            )
        self.threshold = threshold
        self.surrogate = spike_function("PMSN", surrogate, Triangle())
        frequency, basis = coupled_modes(n, coupling)
        inputs, outputs = basis.mH @ torch.ones(n, dtype=basis.dtype), basis[-1]
        self.log_step = log_uniform("PMSN", channels, step_range)
        self.log_decay = nn.Parameter(torch.full((n, channels), math.log(0.5)))
        self.frequency = nn.Parameter(frequency[:, None].repeat(1, channels))
        self.inputs = nn.Parameter(real_and_imaginary(inputs, channels))
        self.outputs = nn.Parameter(real_and_imaginary(outputs, channels))
        self.skip = nn.Parameter(torch.ones(channels))

    def _run(self, x: Tensor, state: PMSNState | None) -> tuple[Tensor, PMSNState]:
        if writes_onnx():
            return self._run_in_pairs(x, state)
        z_start, v_start = (None, None) if state is None else state
        rates = torch.complex(-per_channel(self.log_decay, x).exp(), per_channel(self.frequency, x))
        inputs = torch.complex(*per_channel(self.inputs, x))
        outputs = torch.complex(*per_channel(self.outputs, x))
        z = compartments(x, per_channel(self.log_step, x).exp(), rates, inputs, z_start)
        return self._fire(x, (outputs * z).sum(1).real, z[-1], v_start)

    def _run_in_pairs(self, x: Tensor, state: PMSNState | None) -> tuple[Tensor, PMSNState]:
        """`_run` without complex numbers."""
        refuse_state("PMSN", state)
        step = per_channel(self.log_step, x).exp()
        rates = Pair(-per_channel(self.log_decay, x).exp(), per_channel(self.frequency, x))
        inputs, outputs = (Pair(*per_channel(y, x)) for y in (self.inputs, self.outputs))
        decay = Pair(rates.real * step, rates.imag * step).exp()
        gain = Pair(decay.real - 1, decay.imag).over(rates).times(inputs)
        driven = x.to(step.dtype).unsqueeze(1)
        z = pair_recurrence(Pair(gain.real * driven, gain.imag * driven), decay)
        last = torch.stack([z.real[-1], z.imag[-1]])
        return self._fire(x, outputs.times(z).real.sum(1), last, None)

    def _fire(
        self, x: Tensor, output: Tensor, last: Tensor, start: Tensor | None
    ) -> tuple[Tensor, PMSNState]:
        """Spikes from the output of the linear compartments, and the state after the last step."""
        drive = output + per_channel(self.skip, x) * x.to(state_dtype(x))
        charge, voltage = modular_charge(drive.relu(), self.threshold, start)
        spikes = self.surrogate(charge - self.threshold)
        return spikes.to(x.dtype), PMSNState(last, voltage)

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        n, channels = self.log_decay.shape
        return f"channels={channels}, n={n}, threshold={self.threshold}, surrogate={self.surrogate}"


def coupled_modes(n: int, coupling: float) -> tuple[Tensor, Tensor]:
    """Frequencies and eigenvectors of a chain: compartments i and i + 1 couple by ± coupling·i."""
    strength = coupling * torch.arange(1.0, n)
    chain = torch.diag(strength, 1) - torch.diag(strength, -1)
    return torch.linalg.eigh(-1j * chain)


def real_and_imaginary(values: Tensor, channels: int) -> Tensor:
    """Complex values `(n,)` as a real tensor `(2, n, channels)`, which converts to any dtype."""
    return torch.stack([values.real, values.imag]).unsqueeze(-1).repeat(1, 1, channels)
