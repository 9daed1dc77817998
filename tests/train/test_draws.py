import numpy as np
import pytest
from scipy import stats

from engram.kernel.philox import philox
from engram.train.draws import Purpose, uniform

IDS = np.array([0, 5, 2**32 - 1, 2**40 + 3])


def test_a_number_depends_on_its_example_only():
    whole = uniform(7, 3, IDS, Purpose.CROP, 6)
    for order in ([0, 1, 2, 3], [3, 0], [2, 1]):
        assert np.array_equal(uniform(7, 3, IDS[order], Purpose.CROP, 6), whole[order])


def test_the_words_are_those_of_the_counter_based_generator():
    for row, number in enumerate(IDS.tolist()):
        for block in range(2):
            counter = [number % 2**32, number // 2**32, (Purpose.POLICY << 16) + block, 9]
            words = philox(np.array(counter, np.uint32), np.array([5, 1], np.uint32))
            found = uniform(2**32 + 5, 9, IDS, Purpose.POLICY, 8)[row, 4 * block : 4 * block + 4]
            assert np.array_equal(found, words / 2**32)


@pytest.mark.parametrize("other", [(8, 3, Purpose.CROP), (7, 4, Purpose.CROP), (7, 3, Purpose.MIX)])
def test_another_seed_epoch_or_purpose_draws_other_numbers(other):
    seed, epoch, purpose = other
    first = uniform(7, 3, IDS, Purpose.CROP, 4)
    assert not np.isin(uniform(seed, epoch, IDS, purpose, 4), first).any()


def test_the_numbers_are_uniform_over_examples_and_over_epochs():
    examples = uniform(1, 0, np.arange(20_000), Purpose.FLIP, 1)[:, 0]
    epochs = np.concatenate([uniform(1, e, IDS[:1], Purpose.FLIP, 1)[0] for e in range(2000)])
    assert stats.kstest(examples, "uniform").pvalue > 1e-3
    assert stats.kstest(epochs, "uniform").pvalue > 1e-3
