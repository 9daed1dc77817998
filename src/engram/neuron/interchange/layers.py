"""The layer that each node of NIR becomes."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import nir
import numpy as np
import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron.convolution import Conv2d
from engram.neuron.cuba import CubaLIF
from engram.neuron.delay import Delay
from engram.neuron.integrator import LI
from engram.neuron.interchange.arrays import alike, array, setting, values
from engram.neuron.interchange.scale import Scale
from engram.neuron.interchange.units import Units
from engram.neuron.lif import IF, LIF
from engram.neuron.module import OverTime
from engram.neuron.psn import SlidingPSN
from engram.neuron.threshold import Threshold

Reset = Literal["value", "subtract"]
MAX_DELAY = 100_000
"""The most steps that a delay may keep."""


class Context(NamedTuple):
    """What a node's layer depends on besides the node.

    Attributes:
        units: Duration of a step, and what r of IF and I means.
        reset: Whether a spike resets to v_reset or subtracts the threshold.
        early: Whether the layer gets its input a step late already, as a Delay in a loop does.
    """

    units: Units
    reset: Reset
    early: bool


def layer_of(node: nir.NIRNode, units: Units, reset: Reset, *, early: bool) -> nn.Module:
    """The layer that acts as the node.

    Raises:
        ValueError: No layer here expresses it.
    """
    if isinstance(node, nir.Input | nir.Output):
        return nn.Identity()  # the ends of a graph within the graph
    if type(node) not in LAYERS:
        names = ", ".join(kind.__name__ for kind in LAYERS)
        raise EngramError(f"no layer here expresses it: use {names}")
    return LAYERS[type(node)](node, Context(units, reset, early))


def _linear(node: nir.Linear | nir.Affine) -> nn.Linear:
    weight = tensor(node, "weight")
    if weight.ndim != 2:
        raise EngramError(f"its weight has shape {tuple(weight.shape)}: it must be a matrix")
    state = {"weight": weight}
    if isinstance(node, nir.Affine):
        state["bias"] = tensor(node, "bias")
        if state["bias"].shape != weight.shape[:1]:
            raise EngramError(
                f"its bias has shape {tuple(state['bias'].shape)} and its weight "
                f"{tuple(weight.shape)}: give one bias for each row"
            )
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in state, device="meta")
    layer.load_state_dict(state, assign=True)
    return layer


def _convolution(node: nir.Conv1d | nir.Conv2d) -> nn.Conv1d | nn.Conv2d:
    weight, groups = tensor(node, "weight"), int(node.groups)
    make, rank = (nn.Conv1d, 3) if isinstance(node, nir.Conv1d) else (Conv2d, 4)
    if weight.ndim != rank:
        raise EngramError(f"its weight has shape {tuple(weight.shape)}: it must have {rank} axes")
    if groups < 1 or weight.shape[0] % groups:
        raise EngramError(f"groups={groups}: it must divide the {weight.shape[0]} output channels")
    conv = make(
        weight.shape[1] * groups,
        weight.shape[0],
        _plain(weight.shape[2:]),
        stride=_plain(node.stride),
        padding=_plain(node.padding),
        dilation=_plain(node.dilation),
        groups=groups,
        device="meta",
    )
    conv.load_state_dict({"weight": weight, "bias": tensor(node, "bias")}, assign=True)
    return conv


def _pooling(node: nir.AvgPool2d | nir.SumPool2d) -> nn.AvgPool2d:
    sizes = map(_plain, (node.kernel_size, node.stride, node.padding))
    return nn.AvgPool2d(*sizes, divisor_override=1 if isinstance(node, nir.SumPool2d) else None)


def _flatten(node: nir.Flatten) -> nn.Flatten:
    dims = (int(dim) for dim in (node.start_dim, node.end_dim))
    return nn.Flatten(*(dim if dim < 0 else dim + 1 for dim in dims))


def _lif(node: nir.LIF, context: Context) -> LIF | Threshold:
    tau = _time_steps(node, "tau", context.units.dt)
    r, leak, threshold = (values(node, field) for field in ("r", "v_leak", "v_threshold"))
    reset = None if context.reset == "subtract" else values(node, "v_reset")
    _check_resistance(r)
    decay_input = not (np.isfinite(tau).all() and alike(r, tau)) or alike(r, 1.0)
    gain = r if decay_input and not alike(r, 1.0) else np.ones_like(r)
    if (tau == 1).all():  # a membrane that keeps nothing
        return Threshold(setting((threshold - leak) / r))
    rest = np.zeros_like(leak) if reset is None else reset
    return LIF(
        setting(tau),
        setting(threshold / gain),
        None if reset is None else setting(reset / gain),
        decay_input=decay_input,
        resting=None if alike(leak, rest) else setting(leak / gain),
    )


def _if(node: nir.IF, context: Context) -> IF:
    gain = values(node, "r") * context.units.gain
    _check_resistance(values(node, "r"))
    gain = np.ones_like(gain) if alike(gain, 1.0) else gain
    reset = None if context.reset == "subtract" else setting(values(node, "v_reset") / gain)
    return IF(setting(values(node, "v_threshold") / gain), reset)


def _cuba_lif(node: nir.CubaLIF, context: Context) -> CubaLIF:
    tau_syn, tau = (_time_steps(node, f, context.units.dt) for f in ("tau_syn", "tau_mem"))
    r, w_in, leak = (values(node, field) for field in ("r", "w_in", "v_leak"))
    reset = None if context.reset == "subtract" else values(node, "v_reset")
    undecayed = alike(r, tau) and alike(w_in, tau_syn) and not alike(r * w_in, 1.0)
    rest = np.zeros_like(leak) if reset is None else reset
    return CubaLIF(
        setting(tau_syn),
        setting(tau),
        setting(values(node, "v_threshold")),
        None if reset is None else setting(reset),
        input_weight=1.0 if undecayed else setting(w_in * r),
        resting=None if alike(leak, rest) else setting(leak),
        decay_input=not undecayed,
    )


def _li(node: nir.LI, context: Context) -> LI:
    tau, r = _time_steps(node, "tau", context.units.dt), values(node, "r")
    undecayed = alike(r, tau) and not alike(r, 1.0)
    return LI(
        setting(tau),
        resting=setting(values(node, "v_leak")),
        input_weight=1.0 if undecayed else setting(r),
        decay_input=not undecayed,
    )


def _integrator(node: nir.I, context: Context) -> LI:
    weight = setting(values(node, "r") * context.units.gain)
    return LI(math.inf, input_weight=weight, decay_input=False)


def _check_resistance(r: np.ndarray) -> None:
    if not (r > 0).all():
        raise EngramError(f"r={float(r.min())}: the resistance must be positive")


def _time_steps(node: nir.NIRNode, field: str, dt: float) -> np.ndarray:
    """Time constants in steps."""
    steps = whole_where_close(values(node, field, finite=False), dt)
    if not (steps >= 1).all():
        raise EngramError(
            f"{field}={steps.min() * dt:g} is {steps.min():g} steps of dt = {dt:g}: it must be at "
            "or above 1 step; choose a shorter dt"
        )
    return steps


def delay_steps(node: nir.Delay, dt: float) -> np.ndarray:
    """Delays in steps.

    Raises:
        ValueError: A delay is negative, or longer than a layer keeps.
    """
    steps = whole_where_close(values(node, "delay"), dt)
    if steps.min() < 0:
        raise EngramError(f"a delay of {steps.min() * dt:g} s: delays cannot be negative")
    if steps.max() > MAX_DELAY:
        raise EngramError(
            f"a delay of {steps.max() * dt:g} is {steps.max():g} steps of dt = {dt:g}, above the "
            f"{MAX_DELAY} that a layer keeps: give dt in the unit of the file's times"
        )
    return steps


def _delay(node: nir.Delay, context: Context) -> Delay:
    steps = delay_steps(node, context.units.dt) - (1.0 if context.early else 0.0)
    longest = max(1, math.ceil(steps.max()))
    channels = steps.reshape(steps.shape[0] if steps.ndim else 1, -1)
    if isinstance(shared := setting(steps), float):
        return Delay(longest, delay=shared)
    if (channels != channels[:, :1]).any():
        return Delay(longest, delay=shared)
    layer = Delay(longest, len(channels), delay=0.0)
    layer.load_state_dict({"delay": torch.tensor(channels[:, 0])})
    return layer


def sliding_psn(node: nir.Threshold, taps: dict[int, float]) -> SlidingPSN:
    """The delay line of these weights by age that leads into the Threshold."""
    neuron = SlidingPSN(max(taps) + 1)
    weight = torch.tensor([taps.get(age, 0.0) for age in reversed(range(neuron.k))])
    threshold = torch.tensor(setting(values(node, "threshold")))
    neuron.load_state_dict({"weight": weight, "threshold": threshold})
    return neuron


def whole_where_close(times: np.ndarray, dt: float) -> np.ndarray:
    """Times in steps, whole numbers where only rounding makes them differ."""
    steps = times / dt
    # 3e-4 / 1e-4 is 2.9999999999999996
    short = np.round(steps, 9)
    steps = np.where(np.isclose(steps, short, rtol=1e-12, atol=0), short, steps)
    return np.where(np.isclose(steps, 1, rtol=1e-6, atol=0), 1.0, steps)


def tensor(node: nir.NIRNode, field: str) -> Tensor:
    """A field as a tensor of the default dtype, which shares no memory with the node."""
    return torch.tensor(values(node, field), dtype=torch.get_default_dtype())


def _plain(size: Any) -> Any:
    """A size as torch takes it: an int, a tuple of them, or "same" or "valid"."""
    if isinstance(size, str):
        return size
    size = array(size).tolist()
    return tuple(size) if isinstance(size, list) else size


LAYERS: dict[type[nir.NIRNode], Callable[[Any, Context], nn.Module]] = {
    nir.Linear: lambda node, _: _linear(node),
    nir.Affine: lambda node, _: _linear(node),
    nir.Conv1d: lambda node, _: OverTime(_convolution(node)),
    nir.Conv2d: lambda node, _: OverTime(_convolution(node)),
    nir.AvgPool2d: lambda node, _: OverTime(_pooling(node)),
    nir.SumPool2d: lambda node, _: OverTime(_pooling(node)),
    nir.Flatten: lambda node, _: OverTime(_flatten(node)),
    nir.LIF: _lif,
    nir.IF: _if,
    nir.CubaLIF: _cuba_lif,
    nir.LI: _li,
    nir.I: _integrator,
    nir.Delay: _delay,
    nir.Scale: lambda node, _: Scale(tensor(node, "scale")),
    nir.Threshold: lambda node, _: Threshold(setting(values(node, "threshold"))),
}
"""What each type of node becomes, the Thresholds apart that a delay line leads into."""
