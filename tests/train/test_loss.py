import math

import pytest
import torch
from torch.nn import functional as F

from engram.train import distillation
from engram.train.loss import correct, temporal_efficient

OUTPUTS, LABELS = torch.randn(3, 5, 4, dtype=torch.float64), torch.tensor([0, 3, 1, 1, 2])


def test_temporal_efficient_training_is_the_mean_over_steps_and_examples():
    entropy = square = 0.0
    for step in OUTPUTS.tolist():
        for logits, label in zip(step, LABELS.tolist(), strict=True):
            entropy += math.log(sum(map(math.exp, logits))) - logits[label]
            square += sum((value - 1.5) ** 2 for value in logits) / 4
    expected = (0.9 * entropy + 0.1 * square) / 15
    found = temporal_efficient(OUTPUTS, LABELS, share=0.1, level=1.5)
    torch.testing.assert_close(found.item(), expected)
    shares = F.one_hot(LABELS, 4).double()
    found = temporal_efficient(OUTPUTS, shares, share=0.1, level=1.5)
    torch.testing.assert_close(found.item(), expected)


def test_distillation_adds_the_divergence_from_the_teacher():
    student, teacher, tau = OUTPUTS[0], OUTPUTS[1], 3.0
    p, q = (teacher / tau).softmax(-1), (student / tau).softmax(-1)
    divergence = (p * (p / q).log()).sum(-1).mean()
    expected = 0.75 * F.cross_entropy(student, LABELS) + 0.25 * tau**2 * divergence
    loss = distillation(F.cross_entropy, temperature=tau, share=0.25)
    torch.testing.assert_close(loss(student, LABELS, teacher), expected)
    same = distillation(F.cross_entropy, share=1.0)(student, LABELS, student)
    torch.testing.assert_close(same, torch.zeros_like(same))


def test_an_example_is_correct_by_the_mean_of_its_steps():
    outputs = torch.tensor([[[3.0, 0.0]], [[0.0, 2.0]], [[0.0, 2.0]]])
    assert correct(outputs, torch.tensor([1])).tolist() == [True]
    assert correct(outputs[0], torch.tensor([1])).tolist() == [False]


def test_temporal_efficient_training_needs_outputs_by_step():
    with pytest.raises(ValueError, match=r"loss='tet' got outputs of shape \(5, 4\)"):
        temporal_efficient(OUTPUTS[0], LABELS)
