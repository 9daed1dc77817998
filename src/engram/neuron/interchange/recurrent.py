"""Recurrent spiking networks: graphs with loops, run step by step."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

from engram.neuron.delay import Delay
from engram.neuron.integrator import LI
from engram.neuron.interchange.graph import INPUT, OUTPUT, WiredLayers, total
from engram.neuron.module import Neuron, Temporal

Values = dict[str, Tensor]


class GraphState(NamedTuple):
    """What a recurrent graph remembers between steps.

    Attributes:
        layers: The state of each layer, in order; None for a layer that has none.
        outputs: The last output of each layer that another reads late, `(1, batch, *features)`.
    """

    layers: tuple[Any, ...]
    outputs: tuple[Tensor, ...]


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
                raise ValueError(
                    f"{type(layer).__name__} at {name!r} contains {', '.join(inside)}: give the "
                    "graph each layer along time by its own name"
                )
        self.remembered = tuple(n for n in self.names if any(n == s for s, _ in self.late))

    @property
    def causal(self) -> bool:
        """Whether no layer reads later inputs."""
        return all(layer.causal for layer in self.layers if isinstance(layer, Temporal))

    def _run(self, x: Tensor, state: GraphState | None) -> tuple[Tensor, GraphState]:
        states: dict[str, Any] = dict.fromkeys(self.names)
        before: Values = {}
        if state is not None:
            states = dict(zip(self.names, state.layers, strict=True))
            before = dict(zip(self.remembered, state.outputs, strict=True))
        values: Values = {INPUT: x}
        for names, looped in self._blocks():
            if looped:
                self._run_loop(names, values, states, before)
            else:
                values[names[0]], states[names[0]] = self._call(
                    names[0], total(values[s] for s in self.sources[names[0]]), states
                )
        outputs = tuple(before[name] for name in self.remembered)
        y = total(values[source] for source in self.sources[OUTPUT])
        return y, GraphState(tuple(states.values()), outputs)

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

    @torch.no_grad()
    def _silence(self, names: tuple[str, ...], known: Values, wanted: set[str]) -> Values:
        """Zeros in the shapes of the wanted outputs, found from the inputs that are known."""
        shaped, grew = dict(known), True
        while not wanted <= shaped.keys() and grew:
            grew = False
            for name in names:
                reads = [shaped[s] for s in self.sources[name] if s in shaped]
                if reads and name not in shaped:
                    alike = isinstance(self[name], Neuron | LI | Delay)
                    like = reads[0] if alike else self._call(name, reads[0], {name: None})[0]
                    shaped[name], grew = torch.zeros_like(like), True
        if not wanted <= shaped.keys():
            raise ValueError(
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
