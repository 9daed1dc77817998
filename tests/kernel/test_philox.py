import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engram.kernel import philox, philox_cpu

KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip
"""Random123's kat_vectors for philox4x32-10: counter, key, result."""

a_word = st.integers(0, 2**64 - 1)


def parse(text):
    return np.array([int(word, 16) for word in text.split()], np.uint32)


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_the_published_answers(counter, key, result):
    assert np.array_equal(philox.philox(parse(counter), parse(key)), parse(result))


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_the_published_answers_in_numba(counter, key, result):
    c, k = parse(counter).astype(np.uint64), parse(key).astype(np.uint64)
    number, stream = c[0] | c[1] << np.uint64(32), c[2] | c[3] << np.uint64(32)
    found = philox_cpu.block(k[0] | k[1] << np.uint64(32), stream, number)
    assert np.array_equal(np.array(found, np.uint32), parse(result))


@given(a_word, a_word, st.integers(0, 2**40), st.integers(0, 70), st.integers(0, 70))
@settings(max_examples=60, deadline=None)
def test_a_split_draws_what_the_whole_draws(seed, stream, start, first, second):
    whole = philox.words(seed, stream, start, first + second)
    parts = [
        philox.words(seed, stream, start, first),
        philox.words(seed, stream, start + first, second),
    ]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(philox_cpu.words(seed, stream, start, first + second), whole)
    for i in range(0, len(whole), 7):
        at = np.uint64(start + i)
        assert philox_cpu.word(np.uint64(seed), np.uint64(stream), at) == whole[i]


def test_streams_and_seeds_differ():
    addresses = itertools.product((0, 1, 2**32), repeat=2)
    draws = [philox.words(seed, stream, 0, 64) for seed, stream in addresses]
    assert len({draw.tobytes() for draw in draws}) == 9


def test_uniform_numbers_are_uniform_and_below_one():
    drawn = philox.uniform(3, 4, 0, 200_000)
    assert drawn.dtype == np.float32
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 4 / np.sqrt(len(drawn))
    assert philox_cpu.to_uniform(np.uint32(2**32 - 1)) == np.float32(1 - 2**-24)


@pytest.mark.parametrize(
    ("address", "named"),
    [((-1, 0, 0, 1), "seed=-1"), ((0, 2**64, 0, 1), "stream="), ((0, 0, -2, 1), "start=-2"),
     ((0, 0, 0, -1), "count=-1")],
)  # fmt: skip
def test_an_address_that_does_not_exist_is_named(address, named):
    for draw in (philox.words, philox_cpu.words):
        with pytest.raises(ValueError, match=named):
            draw(*address)
