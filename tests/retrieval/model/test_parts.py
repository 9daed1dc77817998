"""The parts against plain loops, limits of the gates, and torch's own attention."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from engram.retrieval.model import CommonKnowledge, GeneralisedPooling, StyleExtractor
from engram.retrieval.model.functional import attend, mix, pool_sorted, style, use_of_units

VALID = torch.tensor([[True, True, True, False], [True, False, False, False]])


def test_attention_is_that_of_torch() -> None:
    theirs = nn.MultiheadAttention(8, 2, bias=False, batch_first=True)
    x, y = torch.randn(2, 3, 8), torch.randn(2, 4, 8)
    q, k, v = theirs.in_proj_weight.chunk(3)
    ours = attend(x @ q.T, y @ k.T, y @ v.T, VALID, 2) @ theirs.out_proj.weight.T
    torch.testing.assert_close(ours, theirs(x, y, y, key_padding_mask=~VALID)[0])


def test_pooling_weighs_sorted_values_of_the_valid_items() -> None:
    x, pool = torch.randn(2, 4, 5), GeneralisedPooling(8, 4)
    pooled = pool(x, VALID)
    for i, n in enumerate((3, 1)):
        theta = pool.weights(torch.tensor([n]))[0]
        assert theta.sum().item() == pytest.approx(1)
        for feature in range(5):
            ranked = sorted(x[i, :n, feature].tolist(), reverse=True)
            expected = sum(t * value for t, value in zip(theta.tolist(), ranked, strict=True))
            assert pooled[i, feature].item() == pytest.approx(expected, abs=1e-5)


def test_pooling_can_be_the_maximum_and_the_mean() -> None:
    x, everything = torch.randn(2, 4, 5), torch.ones(2, 4, dtype=torch.bool)
    first = torch.tensor([[1.0, 0, 0, 0]]).expand(2, -1)
    torch.testing.assert_close(pool_sorted(x, everything, first), x.max(1).values)
    mean = pool_sorted(x, everything, torch.full((2, 4), 0.25))
    torch.testing.assert_close(mean, x.mean(1))


def test_a_style_is_the_mean_under_equal_energy_and_one_item_under_great_energy() -> None:
    x = torch.randn(2, 4, 5)
    equal = style(x, torch.zeros(2, 4), VALID)
    torch.testing.assert_close(equal[0], x[0, :3].mean(0))
    torch.testing.assert_close(equal[1], x[1, 0])
    great = torch.tensor([0.0, 1e4, 0.0, 1e5]).expand(2, -1)
    torch.testing.assert_close(style(x, great, VALID)[0], x[0, 1])


def test_an_open_gate_keeps_the_style_of_the_stage_before() -> None:
    x, before = torch.randn(2, 4, 8), torch.randn(2, 8)
    extractor = StyleExtractor(8, 2, sequential=True)
    assert extractor.gate is not None
    fresh = extractor(x, VALID, None)
    for bias, expected in ((1e3, before), (-1e3, fresh)):
        nn.init.constant_(extractor.gate.up.bias, bias)
        torch.testing.assert_close(extractor(x, VALID, before), expected)
    alone = StyleExtractor(8, 2, sequential=False)
    torch.testing.assert_close(alone(x, VALID, before), alone(x, VALID, None))


def test_a_closed_gate_leaves_the_units_and_gamma_starts_at_0() -> None:
    knowledge = CommonKnowledge(8, 3, 2, 2)
    x, units = torch.randn(2, 4, 8), knowledge.units.expand(2, -1, -1)
    read, written = knowledge(x, VALID, units, torch.randn(2, 8))
    assert (read == x).all()
    assert not torch.allclose(written[0], written[1], atol=1e-4)  # each sample has a copy
    nn.init.constant_(knowledge.open.up.bias, -1e3)
    torch.testing.assert_close(knowledge(x, VALID, units, None)[1], units)
    nn.init.constant_(knowledge.open.up.bias, 1e3)
    nn.init.constant_(knowledge.content.up.bias, 1e3)
    torch.testing.assert_close(knowledge(x, VALID, units, None)[1], torch.ones(2, 3, 8))


def test_a_unit_that_points_as_the_sample_does_is_used_most() -> None:
    units = torch.eye(3, 5)
    use = use_of_units(torch.tensor([[0.0, 7, 0, 0, 0]]), units)
    e = torch.tensor(10.0).exp()
    torch.testing.assert_close(use[0], torch.tensor([1.0, e, 1]) / (2 + e))


def test_gradients_of_the_smooth_functions() -> None:
    def values(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    assert gradcheck(lambda x, e: style(x, e, VALID), (values(2, 4, 3), values(2, 4)))
    assert gradcheck(lambda g, a, b: mix(g.sigmoid(), a, b), (values(3), values(3), values(3)))
    assert gradcheck(use_of_units, (values(2, 4), values(3, 4)))
    # where no two values are tied, sorting is smooth
    assert gradcheck(lambda x, w: pool_sorted(x, VALID, w * VALID), (values(2, 4, 3), values(2, 4)))
