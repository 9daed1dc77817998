"""An interpreter of NIR in double precision, step by step, written from the equations alone."""

from collections.abc import Callable, Collection

import nir
import numpy as np
import torch
from torch.nn import functional as nn

Array = np.ndarray


class Interpreter:
    """Runs a flat NIR graph by forward Euler; a loop carries the output of the step before.

    Args:
        graph: The graph, without graphs in it.
        dt: Duration of a step.
        gain: What an IF or I multiplies r·i by at a step; dt by the letter of the equations.
        late: The edges that carry the output of the step before.
        subtract: Whether a spike subtracts the threshold in place of setting v_reset.
    """

    def __init__(
        self,
        graph: nir.NIRGraph,
        dt: float,
        gain: float | None = None,
        late: Collection[tuple[str, str]] = (),
        subtract: bool = False,
    ) -> None:
        self.graph, self.dt, self.late, self.subtract = graph, dt, set(late), subtract
        self.gain = dt if gain is None else gain
        self.memory: dict[str, dict[str, Array]] = {}
        self.before: dict[str, Array] = {}

    def run(self, x: Array) -> Array:
        """The output for a sequence (time, batch, *features)."""
        end = next(n for n, node in self.graph.nodes.items() if isinstance(node, nir.Output))
        outputs = []
        for x_t in x.astype(float):
            now: dict[str, Array] = {}
            outputs.append(self.value(end, x_t, now))
            for name in self.graph.nodes:
                self.value(name, x_t, now)
            self.before = now
        return np.stack(outputs)

    def value(self, name: str, x: Array, now: dict[str, Array]) -> Array:
        if name not in now:
            reads = []
            for source, target in self.graph.edges:
                if target == name and (source, target) in self.late:
                    reads.append(self.before.get(source, 0.0))
                elif target == name:
                    reads.append(self.value(source, x, now))
            total = x if isinstance(self.graph.nodes[name], nir.Input) else sum(reads)
            if np.ndim(total) == 0:  # nothing but what is late, at the first step
                total = np.zeros((len(x), *self.graph.nodes[name].input_type["input"]))
            now[name] = self.apply(name, self.graph.nodes[name], np.asarray(total))
        return now[name]

    def apply(self, name: str, node: nir.NIRNode, i: Array) -> Array:  # noqa: PLR0911, PLR0912
        memory = self.memory.setdefault(name, {})
        match node:
            case nir.Input() | nir.Output():
                return i
            case nir.Linear():
                return i @ np.asarray(node.weight, float).T
            case nir.Affine():
                return i @ np.asarray(node.weight, float).T + node.bias
            case nir.Conv2d():
                kernel = [torch.tensor(np.asarray(a, float)) for a in (node.weight, node.bias)]
                sizes = [tuple(map(int, s)) for s in (node.stride, node.padding, node.dilation)]
                return nn.conv2d(torch.tensor(i), *kernel, *sizes).numpy()
            case nir.SumPool2d():
                k, s = (tuple(map(int, a)) for a in (node.kernel_size, node.stride))
                return nn.avg_pool2d(torch.tensor(i), k, s, divisor_override=1).numpy()
            case nir.Flatten():
                return i.reshape(len(i), -1)
            case nir.Scale():
                return i * node.scale
            case nir.Threshold():
                return (i >= node.threshold).astype(float)
            case nir.Delay():
                return self.delay(memory, node, i)
            case nir.I():
                memory["v"] = memory.get("v", 0.0) + self.gain * node.r * i
                return memory["v"]
            case nir.LI():
                v = memory.get("v", node.v_leak)
                memory["v"] = v + self.dt / node.tau * (node.v_leak - v + node.r * i)
                return memory["v"]
            case nir.IF():
                return self.fire(memory, node, lambda v: self.gain * node.r * i)
            case nir.LIF():
                return self.fire(
                    memory, node, lambda v: self.dt / node.tau * (node.v_leak - v + node.r * i)
                )
            case nir.CubaLIF():
                c = memory.get("i", 0.0)
                c = memory["i"] = c + self.dt / node.tau_syn * (-c + node.w_in * i)
                return self.fire(
                    memory, node, lambda v: self.dt / node.tau_mem * (node.v_leak - v + node.r * c)
                )
        raise TypeError(type(node))

    def delay(self, memory: dict[str, Array], node: nir.Delay, i: Array) -> Array:
        steps = np.broadcast_to(np.round(node.delay / self.dt).astype(int), i.shape[1:])
        past = memory["past"] = [i, *memory.get("past", [])][: steps.max() + 1]
        out = np.zeros_like(i)
        for at in np.ndindex(steps.shape):
            if steps[at] < len(past):
                out[:, *at] = past[steps[at]][:, *at]
        return out

    def fire(
        self, memory: dict[str, Array], node: nir.NIRNode, change: Callable[[Array], Array]
    ) -> Array:
        v = memory.get("v", np.asarray(0.0 if self.subtract else node.v_reset, float))
        v = v + change(v)
        spikes = (v >= node.v_threshold).astype(float)
        memory["v"] = (
            v - spikes * node.v_threshold if self.subtract else np.where(spikes, node.v_reset, v)
        )
        return spikes
