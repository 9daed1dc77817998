import pytest
import torch
from torch import nn

from engram.device import choose_device, evaluating, threads


def test_a_device_that_is_not_here_is_named():
    with pytest.raises(ValueError, match="device='nowhere' cannot be used here"):
        choose_device("nowhere")
    with pytest.raises(ValueError, match="device='meta' holds no numbers"):
        choose_device("meta")


def test_the_device_is_the_named_one_or_the_best_there_is():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_evaluating_yields_the_device_of_the_weights():
    with evaluating(nn.Linear(1, 1)) as device:
        assert device == torch.device("cpu")
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("fails", [False, True])
def test_evaluating_gives_each_module_its_own_mode_back(fails):
    inner = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    net = nn.Sequential(nn.Linear(2, 2), inner).train()
    inner[0].eval()
    frozen = nn.Sequential(nn.Dropout()).eval()
    try:
        with evaluating(net):
            assert not any(module.training for module in net.modules())
            inner.append(nn.Dropout())
            net.append(frozen)
            if fails:
                raise RuntimeError("broken")
    except RuntimeError:
        assert fails
    assert net.training
    assert [module.training for module in inner] == [False, True, True]


def test_evaluating_lets_modules_undo_what_they_do_in_evaluation():
    class Merging(nn.Module):
        """Merges weights in evaluation mode and parts them in training, as adapters do."""

        merged = False

        def train(self, mode: bool = True):
            self.merged = not mode
            return super().train(mode)

    net = nn.Sequential(Merging()).train()
    with evaluating(net):
        assert net[0].merged
    assert not net[0].merged


@pytest.mark.parametrize("number", [0, -1, 10**9])
def test_a_number_of_threads_that_no_machine_runs_is_refused(number: int):
    with pytest.raises(ValueError, match=f"threads is {number}"), threads(number):
        pass
