import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.data import DataError, Dataset, Split, split_off


def make_split(labels):
    labels = np.asarray(labels, dtype=np.int64)
    return Split(np.arange(len(labels)), labels)


def ragged(lengths):
    inputs = [np.full(length, row) for row, length in enumerate(lengths)]
    return Split(inputs, np.arange(len(lengths), dtype=np.int64))


def test_a_split_needs_a_label_for_each_input():
    with pytest.raises(DataError, match="3 inputs but 2 labels"):
        Split(np.zeros(3), np.zeros(2, dtype=np.int64))


def test_labels_are_whole_numbers():
    with pytest.raises(DataError, match="float64"):
        Split(np.zeros(3), np.zeros(3))


def test_take_keeps_inputs_and_labels_together():
    taken = make_split([7, 8, 9]).take([2, 0])
    assert list(taken.inputs) == [2, 0]
    assert taken.labels.tolist() == [9, 7]


def test_take_of_a_take_of_ragged_inputs():
    taken = ragged([1, 2, 3, 4]).take([3, 1, 0]).take(np.array([1, 0]))
    assert [list(inputs) for inputs in taken.inputs] == [[1, 1], [3, 3, 3, 3]]
    assert [list(inputs) for inputs in taken.inputs[::-1]] == [[3, 3, 3, 3], [1, 1]]
    assert list(taken.inputs[-1]) == [3, 3, 3, 3]
    with pytest.raises(IndexError):
        taken.inputs[2]


@given(
    labels=st.lists(st.integers(0, 4), min_size=20, max_size=80),
    fraction=st.floats(0.2, 0.8),
    seed=st.integers(0, 2**32 - 1),
)
def test_split_off_divides_each_class_and_loses_nothing(labels, fraction, seed):
    split = make_split(labels)
    rest, off = split_off(split, fraction, seed)
    again = split_off(split, fraction, seed)
    assert sorted([*rest.inputs, *off.inputs]) == list(range(len(labels)))
    assert np.array_equal(off.inputs, again[1].inputs)
    for label in set(labels):
        assert abs((off.labels == label).sum() - fraction * labels.count(label)) <= 0.5
    assert np.array_equal(rest.labels, np.asarray(labels)[rest.inputs])


def test_split_off_depends_on_the_seed():
    split = make_split([0, 1] * 50)
    first, second = (list(split_off(split, 0.5, seed)[1].inputs) for seed in (1, 2))
    assert first != second


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5])
def test_split_off_refuses_a_fraction_outside_0_to_1(fraction):
    with pytest.raises(DataError, match="between 0 and 1"):
        split_off(make_split([0, 1]), fraction, seed=0)


def test_split_off_refuses_to_leave_a_side_empty():
    with pytest.raises(DataError, match="leaves one side empty"):
        split_off(make_split([0, 1, 2]), 0.1, seed=0)


@pytest.mark.parametrize("labels", [[0, 2], [-1, 0], []])
def test_a_dataset_has_labels_that_its_classes_name(labels):
    with pytest.raises(DataError, match="toy has"):
        Dataset(
            "toy",
            "image",
            train=make_split([0, 1]),
            test=make_split(labels),
            classes=("a", "b"),
            full_scale=1.0,
            licence="ours",
        )
