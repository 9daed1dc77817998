import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR

from engram.train import schedule

STEPS = 12


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (schedule("cosine", STEPS), lambda sgd: CosineAnnealingLR(sgd, STEPS)),
        (
            schedule("cosine", STEPS, least=0.2),
            lambda sgd: CosineAnnealingLR(sgd, STEPS, eta_min=0.2),
        ),
        (schedule("step", STEPS, period=5, decay=0.5), lambda sgd: StepLR(sgd, 5, 0.5)),
    ],
    ids=["cosine", "cosine to a fifth", "step"],
)
def test_a_schedule_is_torchs(ours, theirs):
    sgd = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = theirs(sgd)
    for step in range(STEPS):
        assert ours(step) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12)
        sgd.step()
        scheduler.step()


@pytest.mark.parametrize("kind", ["cosine", "step", "constant"])
def test_the_warm_up_is_linear_and_ends_at_the_whole_rate(kind):
    rate = schedule(kind, 20, warmup=4, period=100)
    assert [rate(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    after = schedule(kind, 16, period=100)
    assert [rate(step + 4) for step in range(16)] == [after(step) for step in range(16)]


@pytest.mark.parametrize(
    ("kind", "options", "named"),
    [
        ("cosin", {}, "cosin"),
        ("cosine", {"warmup": STEPS}, "warm-up of 12 steps in a training of 12"),
        ("cosine", {"least": 2.0}, "least=2.0"),
        ("step", {"period": 0}, "period=0"),
    ],
)
def test_what_cannot_be_a_schedule_is_named(kind, options, named):
    with pytest.raises(ValueError, match=named):
        schedule(kind, STEPS, **options)
