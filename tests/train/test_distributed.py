import json
from itertools import chain

import numpy as np
import pytest
import torch
from torch import nn

from engram.device import threads
from engram.neuron import ParametricLIF
from engram.train import first_difference, shard
from engram.train.distributed import ALONE, Processes
from tests.train import launch, together


def found_by_two(folder, steps: int) -> list[dict]:
    """What each of two processes finds."""
    with threads(1):
        together.divided(ALONE, folder / "by one", stop=1)
    started = launch.start("tests.train.together", [str(folder), str(steps)], 2)
    said = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    found = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    return [{**one, "spikes": torch.load(folder / "spikes.pt")} for one in found]


def found_by_one(steps: int) -> dict:
    """What one process finds, with batch norm that is not synchronised."""
    with threads(1):
        return together.all_of(ALONE, steps, plain=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def two(folder) -> list[dict]:
    return found_by_two(folder, together.FEW)


@pytest.fixture(scope="module")
def one() -> dict:
    return found_by_one(together.FEW)


def difference(ours: list[float], theirs: list[float]) -> float:
    return float(np.abs(np.subtract(ours, theirs)).max())


def check_as_one(one: dict, two: list[dict]) -> None:
    for found in two:
        assert difference(found["spiking"], one["spiking"]) < 1e-9
        assert difference(found["float64"], one["float64"]) < 1e-9
        assert difference(found["float32"], one["float32"]) < 1e-5


def check_until_the_first_differing_spike(steps: int, two: list[dict]) -> None:
    """Losses agree up to rounding until a spike differs; a later step may differ in all."""
    with threads(1):
        spikes, losses = together.spiking32(ALONE, steps, False)
    theirs, their_losses = two[0]["spikes"]
    found = first_difference(spikes, theirs)
    equal = steps if found is None else found.step - 1
    assert equal >= 1, found
    assert difference(losses[:equal], their_losses[:equal]) < 1e-4, found


def test_spikes_in_float32_are_equal_until_the_first_that_differs(two):
    check_until_the_first_differing_spike(together.FEW, two)


def test_two_processes_train_as_one(one, two):
    check_as_one(one, two)


@pytest.mark.slow
def test_two_processes_train_as_one_for_long(tmp_path):
    two = found_by_two(tmp_path, together.MANY)
    check_as_one(found_by_one(together.MANY), two)
    check_until_the_first_differing_spike(together.MANY, two)


def test_sharded_weights_train_as_copies_do_and_continue_bit_for_bit(two):
    for found in (one["divided"] for one in two):
        assert difference(found["shards"], found["copies"]) < 1e-9
        assert found["cut"] == found["shards"] == found["recomputed"]
        assert found["local"] == (6 * 8 + 8 + 8 * 4 + 4) / 2


def test_sharded_weights_continue_in_another_number_of_processes(two, folder):
    whole = two[0]["divided"]["copies"]
    for found in two:  # which one process began
        assert difference(found["divided"]["of one"], whole) < 1e-9
    assert (folder / "by two/checkpoints/step-000000003/pieces/__1_0.distcp").exists()
    with threads(1), pytest.warns(UserWarning, match="of 2 processes continues with 1"):
        assert difference(together.divided(ALONE, folder / "by two"), whole) < 1e-9


def test_a_share_that_cannot_be_written_ends_all_processes(two, folder):
    for found in two:
        full, apart = found["divided"]["unwritten"]
        assert "step 3 could not be written" in full
        assert "no space left in the second process" in full
        assert "__1_0.distcp: all processes need to see one folder" in apart
    assert not list((folder / "unwritten/checkpoints").iterdir())


def test_scalar_parameters_are_not_sharded():
    with pytest.raises(ValueError, match=r"scalar parameters 1\.w"):
        shard(nn.Sequential(nn.Linear(6, 8), ParametricLIF()), Processes(0, 2))


def test_what_two_processes_compute_again_has_equal_statistics(one, two):
    for found in (one, *two):
        assert found["recomputed"] == found["float64"]


def test_accumulated_parts_of_two_processes_are_one_batch(one, two):
    assert difference(two[0]["gradient"], one["gradient"]) < 1e-12


def test_each_example_is_evaluated_once(one, two):
    for found in two:
        assert found["evaluated"]["n"] == 21
        assert found["evaluated"] == one["evaluated"]


def test_a_batch_that_cannot_be_divided_is_refused(one, two):
    assert not one["too small"]
    assert all("batch of 1 cannot be divided among 2 processes" in x["too small"] for x in two)


def test_a_flag_of_one_process_is_seen_by_all(two):
    assert [found["flags"] for found in two] == [[True, False]] * 2


@pytest.mark.parametrize("count", [4, 5, 9, 64])
def test_the_parts_of_a_batch_are_the_batch(count):
    rows = list(range(count))
    parts = [rows[Processes(rank, 4).part(count)] for rank in range(4)]
    assert list(chain(*parts)) == rows
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
