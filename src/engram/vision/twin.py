"""Networks with ReLU or ReLU6 as spiking networks of equal weights, without training."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple, final, get_args

import numpy as np
import torch
from torch import Tensor, nn

from engram.errors import EngramError

Scheme = Literal["quantised", "integrate-then-fire", "same-steps", "signed"]
"""How a twin runs; see `spiking_twin`."""


def quantise(x: Tensor, threshold: float, steps: int) -> Tensor:
    """θ/T · clip(⌊x T/θ + ½⌋, 0, T): an activation with T levels.

    Args:
        x: Inputs of any shape.
        threshold: θ, the highest output.
        steps: T.

    References:
        "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking
        neural networks" (QCFS), ICLR 2022, arXiv 2303.04347.
    """
    return (x * (steps / threshold) + 0.5).floor().clamp(0, steps) * (threshold / steps)


def integrate_then_fire(x: Tensor, threshold: float) -> Tensor:
    """Spikes of a neuron that integrates T steps from ½θ and then fires for T steps.

    It fires at most once per step and subtracts θ, so that the mean over time equals `quantise`
    of the mean input.

    Args:
        x: Input currents `(time, …)`.
        threshold: θ, also the size of a spike.

    Returns:
        0 or θ, `(time, …)`; the first step is T steps after that of the input.
    """
    count = ((x.sum(0) / threshold) + 0.5).floor()
    place = torch.arange(len(x), device=x.device).view(-1, *[1] * (x.ndim - 1))
    return (place < count).to(x.dtype) * threshold


def fire_at_once(x: Tensor, threshold: float, *, signed: bool = False) -> Tensor:
    """Spikes of integrate-and-fire neurons with soft reset from ½θ, in the steps of the input.

    Args:
        x: Input currents `(time, …)`.
        threshold: θ, also the size of a spike.
        signed: A neuron that has fired more spikes than it has taken back fires a negative one
            when its potential falls below 0, which corrects spikes that came too early.

    Returns:
        0 or θ, or −θ if `signed`, `(time, …)`.

    References:
        Rueckauer et al., "Conversion of continuous-valued deep networks to efficient event-driven
        networks", Frontiers in Neuroscience 11 (2017), for the soft reset; Wang et al., "Signed
        neuron with memory", IJCAI 2022, for negative spikes. The correction here needs no second
        threshold.
    """
    potential = torch.full_like(x[0], threshold / 2)
    fired, spikes = torch.zeros_like(x[0]), []
    for current in x:
        potential = potential + current
        spike = (potential >= threshold).to(x.dtype)
        if signed:
            spike = spike - ((potential < 0) & (fired > 0)).to(x.dtype)
            fired = fired + spike
        potential = potential - spike * threshold
        spikes.append(spike * threshold)
    return torch.stack(spikes)


FIRE: dict[str, Callable[[Tensor, float], Tensor]] = {
    "integrate-then-fire": integrate_then_fire,
    "same-steps": fire_at_once,
    "signed": partial(fire_at_once, signed=True),
}


@final
class TwinNeuron(nn.Module):
    """The neurons that replace a ReLU; time is folded into the batch.

    Args:
        threshold: θ, the activation that T spikes stand for.
        steps: T.
        scheme: See `spiking_twin`.
    """

    def __init__(self, threshold: float, steps: int, scheme: Scheme) -> None:
        super().__init__()
        self.threshold = threshold
        self.steps = steps
        self.scheme = scheme
        self.rate = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """The output for `(time · batch, …)` or `(1, time · batch, …)`."""
        if self.scheme == "quantised":
            y = quantise(x, self.threshold, self.steps)
            self.rate = float(y.mean()) / self.threshold
            return y
        axis = 1 if x.shape[0] == 1 and x.ndim > 4 else 0
        if x.shape[axis] % self.steps:
            raise EngramError(
                f"the input of a ReLU has shape {tuple(x.shape)}, without the {self.steps} steps "
                f"on axis {axis}: the network must keep the batch on its first axis"
            )
        currents = x.unflatten(axis, (self.steps, -1)).movedim(axis, 0)
        y = FIRE[self.scheme](currents, self.threshold)
        self.rate = float((y != 0).to(torch.float64).mean())
        return y.movedim(0, axis).flatten(axis, axis + 1)

    def extra_repr(self) -> str:
        """Settings for `repr`."""
        return f"threshold={self.threshold:.4g}, steps={self.steps}, scheme={self.scheme!r}"


class TwinRun(NamedTuple):
    """What a twin did with a batch.

    Attributes:
        output: Mean output over the steps, `(batch, …)`.
        features: Mean outputs over the steps of the layers that were asked for, by name.
        rate: Spikes per neuron per step, by name of the layer; a negative spike counts as one.
        latency: Steps until the output is complete. With integrate-then-fire every layer of
            neurons adds T steps; for branches in parallel this is an upper bound.
    """

    output: Tensor
    features: dict[str, Tensor]
    rate: dict[str, float]
    latency: int


@final
class SpikingTwin(nn.Module):
    """A network whose ReLUs are spiking neurons; see `spiking_twin`.

    Args:
        network: The network, its ReLUs replaced.
        steps: T.
        scheme: How its neurons run.
    """

    def __init__(self, network: nn.Module, steps: int, scheme: Scheme) -> None:
        super().__init__()
        self.network = network
        self.steps = steps
        self.scheme = scheme

    def forward(self, x: Tensor) -> Tensor:
        """Mean output over the steps for `(batch, …)`, which is shown at every step."""
        return self.run(x).output

    @torch.no_grad()
    def run(self, x: Tensor, layers: Sequence[str] = ()) -> TwinRun:
        """Run a batch, and keep what layers give.

        Args:
            x: The batch, `(batch, …)`, shown at every step.
            layers: Names of layers of the network.

        Raises:
            ValueError: There is no such layer, or the network moves the batch from its first axis.
        """
        known, found = dict(self.network.named_modules()), {}
        for name in layers:
            if name not in known:
                raise EngramError(f"there is no layer {name!r} in the network")
        repeats = 1 if self.scheme == "quantised" else self.steps

        def mean(y: Tensor) -> Tensor:
            y = y[0] if y.shape[0] == 1 and y.ndim > 1 and y.shape[1] == repeats * len(x) else y
            return y.unflatten(0, (repeats, len(x))).mean(0)

        def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
            def hook(_module: nn.Module, _inputs: object, y: Tensor) -> None:
                found[name] = mean(y)

            return hook

        hooks = [known[name].register_forward_hook(keep(name)) for name in layers]
        try:
            output = mean(self.network(x.repeat(repeats, *[1] * (x.ndim - 1))))
        finally:
            for hook in hooks:
                hook.remove()
        neurons = {name: part for name, part in known.items() if isinstance(part, TwinNeuron)}
        rate = {name: part.rate for name, part in neurons.items()}
        depth = len(neurons) + 1 if self.scheme == "integrate-then-fire" else 1
        return TwinRun(output, found, rate, self.steps * depth)


def spiking_twin(
    model: nn.Module,
    steps: int,
    scheme: Scheme = "integrate-then-fire",
    *,
    pictures: Tensor | None = None,
    quantile: float = 1.0,
) -> SpikingTwin:
    """A spiking network with the weights of an artificial one, without training.

    Every ReLU and ReLU6 becomes integrate-and-fire neurons with soft reset that start from ½θ.

    Args:
        model: A network whose nonlinearities are ReLU and ReLU6 modules, each used once; it is
            copied and runs in evaluation mode.
        steps: T, the number of steps that a picture is shown for, and of levels of an activation.
        scheme: "integrate-then-fire": each layer integrates T steps, then fires for T, which
            equals the quantised network up to rounding; "same-steps": all layers run in the same
            T steps; "signed": the same with spikes that take back earlier ones; "quantised": no
            spikes but activations of T levels, for comparison.
        pictures: A batch on which θ of each layer is calibrated: the quantile of its activations.
            Without it, θ is 6, which only a network of ReLU6 permits.
        quantile: Share of the activations that θ covers, in (0, 1].

    Raises:
        ValueError: Steps < 1, an unknown scheme, a share out of range, no ReLU, or a ReLU without
            pictures.
    """
    if steps < 1 or scheme not in get_args(Scheme) or not 0 < quantile <= 1:
        raise EngramError(
            f"steps={steps}, scheme={scheme!r}, quantile={quantile}: give 1 or more steps, one of "
            f"{', '.join(get_args(Scheme))}, and a share in (0, 1]"
        )
    network = copy.deepcopy(model).eval()
    replaced = {
        name: part
        for name, part in network.named_modules(remove_duplicate=False)
        if isinstance(part, nn.ReLU | nn.ReLU6)
    }
    if not replaced:
        raise EngramError(f"{type(model).__name__} has no ReLU or ReLU6 module to replace")
    plain = [name for name, part in replaced.items() if not isinstance(part, nn.ReLU6)]
    if pictures is None and plain:
        raise EngramError(
            f"{plain[0]} is a ReLU, which has no highest output: give pictures to calibrate it"
        )
    found = {} if pictures is None else _calibrated(network, replaced, pictures, quantile)
    for name in replaced:
        network.set_submodule(name, TwinNeuron(found.get(name, 6.0), steps, scheme))
    return SpikingTwin(network, steps, scheme)


@torch.no_grad()
def _calibrated(
    network: nn.Module, layers: Mapping[str, nn.Module], pictures: Tensor, quantile: float
) -> dict[str, float]:
    found: dict[str, float] = {}

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(_module: nn.Module, _inputs: object, y: Tensor) -> None:
            if name in found:
                raise EngramError(f"{name} is used more than once: give each use a ReLU of its own")
            found[name] = float(np.quantile(y.numpy(force=True), quantile))

        return hook

    hooks = [layer.register_forward_hook(keep(name)) for name, layer in layers.items()]
    try:
        network(pictures)
    finally:
        for hook in hooks:
            hook.remove()
    for name in layers:
        if not found.get(name, 0) > 0:
            raise EngramError(
                f"{name} gives no activation above 0 at the quantile {quantile} of the pictures: "
                "give other pictures or a larger quantile"
            )
    return found
