"""A spiking network as a graph: what is exported, and what an imported network runs as."""

import operator
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple, final

from torch import Tensor, nn

INPUT, OUTPUT = "input", "output"


class Wiring(NamedTuple):
    """Layers without time, neurons, and who reads whom: what NIR knows of a network.

    Attributes:
        layers: The layers by name, each after its sources. Neurons take a sequence
            `(time, batch, *features)`, other layers one step `(batch, *features)`.
        sources: The names of the layers whose sum each layer reads, and the network's "output";
            "input" is the network's input.
    """

    layers: dict[str, nn.Module]
    sources: dict[str, tuple[str, ...]]


@final
class SpikingGraph(nn.Module):
    """Layers wired without loops: each reads the sum of its sources.

    Args:
        layers: The layers by name, each after its sources. All take sequences
            `(time, batch, *features)`: wrap a convolution in `OverTime`.
        sources: The names of the layers that each layer reads, and that "output" reads; "input" is
            the input of the graph.

    Raises:
        ValueError: A layer is called "input" or "output", reads nothing, or reads what does not
            come before it.
    """

    def __init__(
        self, layers: Mapping[str, nn.Module], sources: Mapping[str, Sequence[str]]
    ) -> None:
        super().__init__()
        known = {INPUT}
        for name in (*layers, OUTPUT):
            if name in known:
                raise ValueError(f"a layer is called {name!r}: rename it, the graph's own is")
            reads = sources.get(name, ())
            if not reads or not known.issuperset(reads):
                raise ValueError(
                    f"{name!r} reads {tuple(reads)}: give it at least one source, each among the "
                    f"layers before it ({', '.join(known)})"
                )
            known.add(name)
        self.names = tuple(layers)
        self.layers = nn.ModuleList(layers.values())
        self.sources = {name: tuple(sources[name]) for name in (*layers, OUTPUT)}

    def __getitem__(self, name: str) -> nn.Module:
        """The layer of that name."""
        return self.layers[self.names.index(name)]

    def forward(self, x: Tensor) -> Tensor:
        """What the layers that "output" reads add up to.

        Args:
            x: Input sequence `(time, batch, *features)`; one step `(batch, *features)` inside
                `stream(single_step=True)`.

        Returns:
            Output sequence, or one step of it.
        """
        values = {INPUT: x}
        for name, layer in zip(self.names, self.layers, strict=True):
            values[name] = layer(self._read(name, values))
        return self._read(OUTPUT, values)

    def _read(self, name: str, values: Mapping[str, Tensor]) -> Tensor:
        return reduce(operator.add, (values[source] for source in self.sources[name]))

    def extra_repr(self) -> str:
        """Who reads whom."""
        return ", ".join(f"{' + '.join(reads)} → {name}" for name, reads in self.sources.items())


def in_order(sources: Mapping[str, Sequence[str]], end: str) -> list[str]:
    """The names that `end` depends on and `end` itself, each after its sources.

    Raises:
        ValueError: Names depend on each other in a loop.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    pending, seen = [end], set()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            sorter.add(name, *sources.get(name, ()))
            pending.extend(sources.get(name, ()))
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise ValueError(
            f"the nodes {' → '.join(error.args[1])} form a loop: recurrent networks cannot be "
            "exchanged; cut the loop"
        ) from error


def free_name(name: str, taken: Container[str]) -> str:
    """The name, with as many underscores as set it apart from those taken and those reserved."""
    while name in taken or name in (INPUT, OUTPUT):
        name += "_"
    return name


@contextmanager
def located(name: str, thing: object) -> Iterator[None]:
    """Inside, an error becomes a ValueError that says at which node it happened."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{type(thing).__name__} at {name!r}: {error}") from error
