"""A spiking network as a graph: what is exported, and what an imported network runs as."""

import operator
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple, final

from torch import Tensor, nn

from engram.errors import EngramError

INPUT, OUTPUT = "input", "output"


class Wiring(NamedTuple):
    """Layers without time, neurons, and who reads whom: what NIR knows of a network.

    Attributes:
        layers: The layers by name, each after its sources that are not late. Neurons take a
            sequence `(time, batch, *features)`, other layers one step `(batch, *features)`.
        sources: The names of the layers whose sum each layer reads, and the network's "output";
            "input" is the network's input.
        late: Pairs (source, reader) where the reader takes the source's output of the step before.
    """

    layers: dict[str, nn.Module]
    sources: dict[str, tuple[str, ...]]
    late: set[tuple[str, str]]


class WiredLayers(nn.Module):
    """Layers by name, and who reads whom.

    Attributes:
        names: The names of the layers, in the order in which they run.
        sources: The names that each layer, and "output", reads; "input" is the graph's input.
        late: Pairs (source, reader) where the reader takes the source's output of the step before.
        notes: What `from_nir` decided where a file leaves a choice, a sentence each.
    """

    names: tuple[str, ...]
    sources: dict[str, tuple[str, ...]]
    late: frozenset[tuple[str, str]]
    notes: tuple[str, ...] = ()

    def wire(
        self,
        layers: Mapping[str, nn.Module],
        sources: Mapping[str, Sequence[str]],
        late: Collection[tuple[str, str]] = (),
    ) -> None:
        """Keeps the layers and their wiring.

        Raises:
            ValueError: A layer is called "input" or "output", reads nothing, or reads what does not
                come before it, and not late.
        """
        known = {INPUT}
        for name in (*layers, OUTPUT):
            if name in known:
                raise EngramError(f"a layer is called {name!r}: rename it, the graph's own is")
            reads = sources.get(name, ())
            unknown = [s for s in reads if s not in (layers if (s, name) in late else known)]
            if not reads or unknown:
                raise EngramError(
                    f"{name!r} reads {tuple(reads)}: give it at least one source, each among the "
                    f"layers before it ({', '.join(known)})"
                )
            known.add(name)
        self.names = tuple(layers)
        self.layers = nn.ModuleList(layers.values())
        self.sources = {name: tuple(sources[name]) for name in (*layers, OUTPUT)}
        self.late = frozenset(late)
        edges = {(source, name) for name in layers for source in self.sources[name]}
        if not self.late <= edges:
            raise EngramError(
                f"late={sorted(self.late - edges)}: only what a layer reads can be late"
            )

    def __getitem__(self, name: str) -> nn.Module:
        """The layer of that name."""
        return self.layers[self.names.index(name)]

    def extra_repr(self) -> str:
        """Who reads whom, and the notes."""
        wiring = ", ".join(
            f"{' + '.join(self._shown(s, name) for s in reads)} → {name}"
            for name, reads in self.sources.items()
        )
        return "\n".join([wiring, *(f"# {note}" for note in self.notes)])

    def _shown(self, source: str, reader: str) -> str:
        return f"{source}[t−1]" if (source, reader) in self.late else source


@final
class SpikingGraph(WiredLayers):
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
        self.wire(layers, sources)

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
            values[name] = layer(total(values[source] for source in self.sources[name]))
        return total(values[source] for source in self.sources[OUTPUT])


def total(values: Iterable[Tensor]) -> Tensor:
    """The sum of one tensor or more."""
    return reduce(operator.add, values)


def in_order(
    sources: Mapping[str, Sequence[str]], end: str, late: Collection[tuple[str, str]] = ()
) -> list[str]:
    """The names that `end` depends on and `end` itself, each after its sources that are not late.

    Raises:
        ValueError: Names depend on each other in a loop that nothing delays.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    pending, seen = [end], set()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            reads = sources.get(name, ())
            sorter.add(name, *(source for source in reads if (source, name) not in late))
            pending.extend(reads)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise EngramError(
            f"the nodes {' → '.join(error.args[1])} form a loop without a neuron or a delay of a "
            "step, in which a value would depend on itself: put one of them into the loop, or cut "
            "it"
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
        raise EngramError(f"{type(thing).__name__} at {name!r}: {error}") from error
