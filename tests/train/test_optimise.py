import pytest
from torch import nn

from engram.neuron import PSN
from engram.train import parameter_groups


class Net(nn.Module):
    """A stem, two blocks in a list, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), PSN(8)) for _ in range(2)
        )
        self.head = nn.Linear(4, 2)


def by_name(groups, key):
    return {name: group[key] for group in groups for name in group["names"]}


def test_norms_biases_and_neurons_are_not_decayed():
    decay = by_name(parameter_groups(Net(), lr=0.1, weight_decay=0.05), "weight_decay")
    decayed = {name for name, value in decay.items() if value == 0.05}
    assert decayed == {"stem.weight", "blocks.0.0.weight", "blocks.1.0.weight", "head.weight"}
    assert {decay[name] for name in decay.keys() - decayed} == {0.0}
    assert decay.keys() == dict(Net().named_parameters()).keys()


def test_each_block_learns_slower_than_the_next():
    rates = by_name(parameter_groups(Net(), lr=0.1, weight_decay=0.0, layer_decay=0.5), "lr")
    assert rates["head.bias"] == 0.1
    assert rates["blocks.1.2.weight"] == 0.05
    assert rates["blocks.0.0.weight"] == 0.025
    assert rates["stem.weight"] == 0.0125


def test_a_group_holds_the_parameters_that_it_names():
    net = Net()
    named = dict(net.named_parameters())
    for group in parameter_groups(net, lr=0.1, weight_decay=0.05, layer_decay=0.9):
        assert all(named[n] is p for n, p in zip(group["names"], group["params"], strict=True))


def test_frozen_parameters_are_left_out():
    net = Net()
    names = by_name(parameter_groups(net, lr=1.0, weight_decay=0.0, frozen=["stem.*"]), "lr")
    assert "stem.weight" not in names
    assert not net.stem.weight.requires_grad
    assert net.head.weight.requires_grad


@pytest.mark.parametrize(("frozen", "named"), [("stm.*", "stm"), ("*", "every parameter")])
def test_a_pattern_that_matches_nothing_or_all_is_refused(frozen, named):
    with pytest.raises(ValueError, match=named):
        parameter_groups(Net(), lr=1.0, weight_decay=0.0, frozen=[frozen])
