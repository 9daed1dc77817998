"""Recurrent spiking networks: graphs with loops, run step by step."""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, final

import torch
from torch import Tensor, nn

from engram.device import evaluating
from engram.errors import EngramError
from engram.neuron.check import described, is_state
from engram.neuron.delay import Delay
from engram.neuron.integrator import LI
from engram.neuron.interchange.graph import INPUT, OUTPUT, WiredLayers, total
from engram.neuron.module import Neuron, Temporal

Values = dict[str, Tensor]
Arrangement = tuple[tuple[tuple[str, type, int], ...], tuple[str, ...]]
"""Name, class and size of each layer's state, and the names of the outputs that are read late."""


class GraphState(tuple[Any, ...]):
    """What a recurrent graph remembers between steps: how its values are arranged, and the values.

    The values are the state of each layer and the last outputs that others read late, in a row, so
    that what detaches or copies a state of one layer does so with that of a graph.
    """

    def __new__(cls, arrangement: Arrangement, *values: Any) -> "GraphState":
        """A state of these values."""
        return super().__new__(cls, (arrangement, *values))

    def __getnewargs__(self) -> tuple[Any, ...]:
        """The arguments that copies are made with."""
        return tuple(self)

    @classmethod
    def of(cls, states: dict[str, Any], before: Values) -> "GraphState":
        """The state of these layers, and the outputs that are read late."""
        kinds = [(name, type(s), 0 if s is None else len(s)) for name, s in states.items()]
        values = [value for s in states.values() if s is not None for value in s]
        return cls((tuple(kinds), tuple(before)), *values, *before.values())

    def parts(self) -> tuple[dict[str, Any], Values]:
        """The state of each layer, and the outputs that are read late, by name."""
        kinds, late = self[0]
        values = iter(self[1:])
        states = {name: kind(*islice(values, size)) if size else None for name, kind, size in kinds}
        return states, dict(zip(late, values, strict=True))


@final
class RecurrentGraph(WiredLayers, Temporal):
    """Layers wired with loops: in each loop a connection carries the output of the step before.

    What lies in a loop runs step by step, the rest on whole sequences. Before the first step, the
    output that a layer reads late is 0.

    Args:
        layers: The layers by name, each after its sources that are not late. All take sequences
            `(time, batch, *features)`: wrap a convolution in `OverTime`. A layer along time is a
            neuron or another `Temporal` itself, not a container of them.
        sources: The names of the layers that each layer reads, and that "output" reads; "input" is
            the input of the graph.
        late: Pairs (source, reader) where the reader takes the source's output of the step before.

    Raises:
        ValueError: A layer is called "input" or "output", reads nothing, or reads what does not
            come before it, and not late; or contains layers along time.
    """

    def __init__(
        self,
        layers: Mapping[str, nn.Module],
        sources: Mapping[str, Sequence[str]],
        late: Collection[tuple[str, str]],
    ) -> None:
        super().__init__()
        self.wire(layers, sources, late)
        for name, layer in layers.items():
            inside = [type(m).__name__ for m in layer.modules() if isinstance(m, Temporal)]
            if inside and not isinstance(layer, Temporal):
                raise EngramError(
                    f"{type(layer).__name__} at {name!r} contains {', '.join(inside)}: give the "
                    "graph each layer along time by its own name"
                )
        self.remembered = tuple(n for n in self.names if any(n == s for s, _ in self.late))

    @property
    def causal(self) -> bool:
        """Whether no layer reads later inputs."""
        return all(layer.causal for layer in self.layers if isinstance(layer, Temporal))

    def _fitted(self, state: Any, x: Tensor, shape: torch.Size) -> GraphState:
        if not isinstance(state, GraphState) or {*state.parts()[0]} != {*self.names}:
            raise EngramError(
                f"RecurrentGraph got a state of type {type(state).__name__}: pass the GraphState "
                "that an earlier run of this graph returned, or None"
            )
        states, before = state.parts()
        for value in before.values():
            if not is_state(value, meta=x.is_meta) or value.ndim < 2:
                raise EngramError(
                    "RecurrentGraph got a state in which an output of the step before is "
                    f"{described(value)}: pass the GraphState that an earlier run returned"
                )
        if not torch.is_autocast_enabled(x.device.type):  # a network may be cast in mid-stream
            before = {name: value.to(x) for name, value in before.items()}
        return GraphState.of(states, before)

    def _run(self, x: Tensor, state: GraphState | None) -> tuple[Tensor, GraphState]:
        states, before = state.parts() if state else (dict.fromkeys(self.names), {})
        if any(output.shape[1] != x.shape[1] for output in before.values()):
            sizes = {output.shape[1] for output in before.values()}
            raise EngramError(
                f"RecurrentGraph carries the state of a batch of {sizes.pop()} and got a batch of "
                f"{x.shape[1]}: open a new stream(), or run from state None, for another batch"
            )
        values: Values = {INPUT: x}
        for names, looped in self._blocks():
            if looped:
                self._run_loop(names, values, states, before)
            else:
                values[names[0]], states[names[0]] = self._call(
                    names[0], total(values[s] for s in self.sources[names[0]]), states
                )
        y = total(values[source] for source in self.sources[OUTPUT])
        return y, GraphState.of(states, before)

    def _blocks(self) -> list[tuple[tuple[str, ...], bool]]:
        """The layers in order, cut into single layers and runs of layers that loops span."""
        at = {name: i for i, name in enumerate(self.names)}
        spans = sorted(sorted((at[s], at[r])) for s, r in self.late if r != OUTPUT)
        blocks: list[tuple[tuple[str, ...], bool]] = []
        i = 0
        while i < len(self.names):
            stop, looped = i + 1, False
            for low, high in spans:
                if low < stop and high >= i:
                    stop, looped = max(stop, high + 1), True
            blocks.append((self.names[i:stop], looped))
            i = stop
        return blocks

    def _run_loop(
        self, names: tuple[str, ...], values: Values, states: dict[str, Any], before: Values
    ) -> None:
        """Runs these layers step after step, and adds their sequences to the values."""
        outside = {s for name in names for s in self.sources[name] if s in values}
        steps = {source: values[source].split(1) for source in outside}
        missing = {n for n in self.remembered if n in names and n not in before}
        first = {source: parts[0] for source, parts in steps.items()}
        before |= self._silence(names, first, missing)
        outputs: dict[str, list[Tensor]] = {name: [] for name in names}
        for t in range(values[INPUT].shape[0]):
            now = {source: parts[t] for source, parts in steps.items()}
            for name in names:
                reads = (
                    before[s] if (s, name) in self.late else now[s] for s in self.sources[name]
                )
                now[name], states[name] = self._call(name, total(reads), states)
                outputs[name].append(now[name])
            before |= {name: now[name] for name in names if name in self.remembered}
        values |= {name: torch.cat(parts) for name, parts in outputs.items()}

    def _call(self, name: str, x: Tensor, states: Mapping[str, Any]) -> tuple[Tensor, Any]:
        layer = self[name]
        return layer.run(x, states[name]) if isinstance(layer, Temporal) else (layer(x), None)

    def _silence(self, names: tuple[str, ...], known: Values, wanted: set[str]) -> Values:
        """Zeros in the shapes of the wanted outputs, found by running layers in evaluation mode."""
        shaped, grew = dict(known), True
        while not wanted <= shaped.keys() and grew:
            grew = False
            for name in names:
                reads = [shaped[s] for s in self.sources[name] if s in shaped]
                if reads and name not in shaped:
                    alike = isinstance(self[name], Neuron | LI | Delay)
                    with evaluating(self[name]):
                        like = reads[0] if alike else self._call(name, reads[0], {name: None})[0]
                    shaped[name], grew = torch.zeros_like(like), True
        if not wanted <= shaped.keys():
            raise EngramError(
                f"the loop {' → '.join(names)} reads nothing from outside: connect its input"
            )
        return {name: shaped[name] for name in wanted}


def recurrent(neuron: Temporal, feedback: nn.Module) -> RecurrentGraph:
    """A recurrent spiking layer: Y[t] = neuron(X[t] + feedback(Y[t−1])), with Y[0] = 0.

    Args:
        neuron: The neurons, such as a CubaLIF.
        feedback: What carries their output back, such as `nn.Linear(n, n)`, or a convolution in
            `OverTime`.

    Returns:
        The layer, `(time, batch, *features)` in and out, with "neuron" and "feedback" by name.
    """
    return RecurrentGraph(
        {"feedback": feedback, "neuron": neuron},
        {"feedback": ("neuron",), "neuron": (INPUT, "feedback"), OUTPUT: ("neuron",)},
        late={("neuron", "feedback")},
    )
