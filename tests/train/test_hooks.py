import torch
from torch import nn
from torch.optim import SGD

from engram.train.hooks import attach


class Rates:
    """Remembers the rates of each step."""

    def __init__(self) -> None:
        self.seen = []

    def after_step(self, rates):
        self.seen.append(rates)

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


def test_a_hook_follows_each_step_of_a_foreign_loop_until_it_is_removed():
    model, hook = nn.Linear(2, 1), Rates()
    groups = [{"params": [model.weight], "lr": 0.5}, {"params": [model.bias], "lr": 0.25}]
    sgd = SGD(groups, lr=1.0)
    handle = attach(hook, sgd)
    for _ in range(2):
        model(torch.ones(3, 2)).sum().backward()
        sgd.step()
        for group in sgd.param_groups:
            group["lr"] *= 0.5
    assert hook.seen == [[0.5, 0.25], [0.25, 0.125]]
    handle.remove()
    sgd.step()
    assert len(hook.seen) == 2


def test_a_hook_is_not_called_where_the_scaler_leaves_a_step_out():
    model, hook = nn.Linear(2, 1), Rates()
    sgd = SGD(model.parameters(), lr=0.5)
    attach(hook, sgd)
    scaler = torch.amp.GradScaler("cpu")
    for value in (torch.inf, 1.0):
        sgd.zero_grad()
        scaler.scale(model(torch.full((1, 2), value)).sum()).backward()
        scaler.step(sgd)
        scaler.update()
        assert len(hook.seen) == (value == 1.0)
