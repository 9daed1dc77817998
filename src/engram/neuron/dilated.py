"""The multiplication-free parallel neuron: dilated windows with power-of-two weights."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron.backend import writes_onnx
from engram.neuron.channel import check_channels, per_channel
from engram.neuron.functional import (
    WindowState,
    last_inputs,
    no_history,
    seen_inputs,
    state_dtype,
)
from engram.neuron.module import Neuron
from engram.neuron.psn import uniform_weight
from engram.neuron.setting import flag, spike_function, whole
from engram.neuron.surrogate import ATan, Surrogate


def sawtooth(layers: int, period: int = 3) -> list[int]:
    """The dilations 1, 2, …, period, 1, 2, … of successive layers.

    An increasing dilation widens the receptive field; restarting leaves no input unread.

    References:
        Xue et al., NeurIPS 2025, arXiv 2501.14490, after the hybrid dilated convolution.
    """
    return [layer % period + 1 for layer in range(layers)]


def power_of_two(weight: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The power of two nearest to each weight on the logarithmic scale; 0 stays 0.

    sign(w)·2^round(log2|w|); the gradient passes straight through.

    References:
        Xue et al., NeurIPS 2025, arXiv 2501.14490.
    """
    fixed = weight.detach()  # no_grad would not stop forward-mode derivatives
    mantissa = _mantissa(fixed) if writes_onnx() else torch.frexp(fixed).mantissa.abs()
    # w over its mantissa is a power of two without rounding, which exp2 does not promise
    scale = torch.where(mantissa >= math.sqrt(0.5), mantissa, 2 * mantissa)
    rounding = torch.where(fixed == 0, 0.0, fixed / scale) - fixed
    return weight + rounding


def _mantissa(weight: Tensor) -> Tensor:
    """|w| over the power of two next above it, in operators that ONNX has."""
    size = torch.where(weight == 0, 1.0, weight.abs())
    power = torch.exp2(torch.floor(torch.log2(size)) + 1)
    # the logarithm is rounded: what it gives is a power of two, next to the right one at most
    power = torch.where(size >= power, 2 * power, power)
    power = torch.where(2 * size < power, power / 2, power)
    return torch.where(weight == 0, 0.0, size / power)


def dilated_charge(
    seen: Float[Tensor, "seen *neurons"], weight: Float[Tensor, "k ..."], dilation: int
) -> Float[Tensor, "time *neurons"]:
    """A causal window with gaps over the sequence.

    H[t] = Σ_i W_i X[t − (k − 1 − i)·d].

    Args:
        seen: The (k − 1)·d inputs before the sequence, initially zero, and the sequence X.
        weight: W, each broadcast to one step; the last belongs to the current input.
        dilation: d, the number of steps between inputs that are read.
    """
    taps = weight.unbind(0)
    steps = seen.shape[0] - (len(taps) - 1) * dilation
    charge = taps[0] * seen[:steps]
    for i, tap in enumerate(taps[1:], start=1):
        charge = charge + tap * seen[i * dilation : i * dilation + steps]
    return charge


@final
class DilatedPSN(Neuron):
    """Multiplication-free channel-wise PSN: H[t] = Σ_i W_i X[t − (k − 1 − i)·d], S = Θ(H − B).

    Each channel learns its W and B; W is rounded to powers of two, so that hardware only needs
    shifts and additions. Give successive layers the dilations of `sawtooth`.

    Args:
        k: Order, the number of inputs per step.
        dilation: d, the number of steps between these inputs.
        channels: Number of channels with their own window, the third axis of the input; 1 shares
            one window among all neurons.
        exponential_init: Start from the weights (…, 1/4, 1/2, 1) instead of U(±1/√k).
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: k, d or channels below 1; and at the call, input whose third axis differs from
            the channels.

    References:
        Xue et al., "Multiplication-free parallelizable spiking neurons with efficient
        spatio-temporal dynamics", NeurIPS 2025, arXiv 2501.14490. The authors also fold a batch
        norm into W and B before rounding W; here a norm is a layer of its own.
    """

    state_type = WindowState

    def __init__(
        self,
        k: int,
        dilation: int = 1,
        channels: int = 1,
        *,
        exponential_init: bool = False,
        surrogate: Surrogate | None = None,
    ) -> None:
        super().__init__()
        k, dilation = whole("DilatedPSN", "k", k), whole("DilatedPSN", "dilation", dilation)
        channels = whole("DilatedPSN", "channels", channels)
        if k < 1 or dilation < 1:
            raise EngramError(
                f"DilatedPSN(k={k}, dilation={dilation}): a step reads k inputs that are "
                f"`dilation` steps apart; both must be at least 1"
            )
        check_channels("DilatedPSN", channels)
        self.k = k
        self.dilation = dilation
        self.surrogate = spike_function("DilatedPSN", surrogate, ATan())
        self.weight = (
            nn.Parameter((0.5 ** torch.arange(k - 1, -1, -1.0)).repeat(channels, 1))
            if flag("DilatedPSN", "exponential_init", exponential_init)
            else uniform_weight(channels, k)
        )
        self.threshold = nn.Parameter(torch.ones(channels))

    def _run(self, x: Tensor, state: WindowState | None) -> tuple[Tensor, WindowState]:
        before = (self.k - 1) * self.dilation
        seen = seen_inputs(no_history(x, before) if state is None else state.history, x, before)
        weight = power_of_two(per_channel(self.weight.mT, x))
        charge = dilated_charge(seen.to(state_dtype(x)), weight, self.dilation)
        spikes = self.surrogate(charge - per_channel(self.threshold, x))
        return spikes.to(x.dtype), WindowState(last_inputs(seen, before))

    def _neurons(self, state: WindowState) -> torch.Size:
        return state.history.shape[1:]

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        return (
            f"k={self.k}, dilation={self.dilation}, channels={self.weight.shape[0]}, "
            f"surrogate={self.surrogate}"
        )
