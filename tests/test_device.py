import pytest
import torch

from engram.device import choose_device, threads


def test_a_device_that_is_not_here_is_named():
    with pytest.raises(ValueError, match="device='nowhere' cannot be used here"):
        choose_device("nowhere")


def test_the_device_is_the_named_one_or_the_best_there_is():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("number", [0, -1, 10**9])
def test_a_number_of_threads_that_no_machine_runs_is_refused(number: int):
    with pytest.raises(ValueError, match=f"threads is {number}"), threads(number):
        pass
