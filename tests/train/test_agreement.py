import pytest
import torch

from engram.train import first_difference


def log(steps: int) -> list:
    generator = torch.Generator().manual_seed(1)
    return [
        {name: [torch.rand(2, 3, 4, generator=generator) < 0.5] for name in ("one", "two")}
        for _ in range(steps)
    ]


def test_the_first_differing_spike_is_found_with_its_step_and_layer():
    ours, theirs = log(9), log(9)
    assert first_difference(ours, theirs) is None
    for step, layer in ((8, "one"), (4, "two"), (4, "one")):
        theirs[step][layer][0][1, 2, 3] ^= True
        found = first_difference(ours, theirs)
        assert found == (step + 1, layer, 1, 24)
    theirs[4]["one"][0][0, 0, :2] ^= True
    assert first_difference(ours, theirs) == (5, "one", 3, 24)


def test_logs_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="9 and 8 steps"):
        first_difference(log(9), log(8))
    other = log(1)
    other[0]["two"][0] = other[0]["two"][0][:1]
    with pytest.raises(ValueError, match="two has the shapes"):
        first_difference(log(1), other)
