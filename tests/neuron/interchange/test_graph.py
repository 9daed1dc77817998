"""A network as a graph."""

import pytest

from engram.neuron import LIF
from engram.neuron.interchange import SpikingGraph


@pytest.mark.parametrize(
    ("layers", "sources", "message"),
    [
        ({"input": LIF()}, {"input": ["input"], "output": ["input"]}, "'input': rename"),
        ({"output": LIF()}, {"output": ["input"]}, "'output': rename"),
        ({"a": LIF()}, {"a": ["input"]}, r"'output' reads \(\)"),
        ({"a": LIF()}, {"a": ["a"], "output": ["a"]}, r"'a' reads \('a',\).*\(input\)"),
    ],
)
def test_a_graph_is_wired_from_front_to_back(layers, sources, message):
    with pytest.raises(ValueError, match=message):
        SpikingGraph(layers, sources)


def test_a_graph_names_its_layers():
    lif = LIF()
    net = SpikingGraph(
        {"first.lif": lif}, {"first.lif": ["input"], "output": ["first.lif", "input"]}
    )
    assert net["first.lif"] is lif
    assert "first.lif + input → output" in repr(net)
