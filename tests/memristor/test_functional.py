"""The rule against brute force in NumPy, its probabilities, and laws of the carries."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engram.errors import EngramError
from engram.kernel.philox import halves, philox
from engram.memristor import carry, carry_digits, comparator, value_of_digits
from engram.memristor.functional import UNIT, Address, Purpose, on_grid, sample

SAMPLES = torch.arange(5)


def expected_bits(z, table, address, purpose, samples):
    """Bits by the generator's reference and thresholds written out."""
    bits = np.empty(z.shape)
    stream, key = halves(address.stream(purpose)), np.array(halves(address.seed), np.uint32)
    for i, number in enumerate(samples):
        blocks = [(block, number, *stream) for block in range(-(-z.shape[1] // 4))]
        found = philox(np.array(blocks, np.uint32), key).reshape(-1).astype(np.int64)
        for j, word in enumerate(found[: z.shape[1]]):
            entry, rest = word >> 20, word & 0xFFFFF
            level = table[entry] + ((table[entry + 1] - table[entry]) * rest >> 20)
            bits[i, j] = z[i, j] > level
    return bits


@pytest.mark.parametrize("units", [1, 4, 10])
@pytest.mark.parametrize("purpose", list(Purpose))
def test_bits_by_brute_force(units, purpose):
    rng = np.random.default_rng(0)
    z = np.round(rng.normal(scale=30_000, size=(5, units)))
    address = Address(2**63 + 5, 7, step=12, vote=3)
    samples = torch.tensor([0, 3, 3, 10**9, 2**32 - 1])
    table = comparator(8.0)
    found = sample(torch.from_numpy(z), table, address, purpose, samples)
    np.testing.assert_array_equal(
        found.numpy(), expected_bits(z, table, address, purpose, samples.numpy())
    )


@pytest.mark.parametrize("value", [-0.6, -0.1, 0.0, 0.05, 0.4])
def test_probabilities_of_the_forward_and_the_derivative_bit(value):
    n, gain = 20_000, 4.0
    z = torch.full((n, 1), round(value / UNIT), dtype=torch.float64)
    first, second = (
        sample(z, comparator(gain), Address(1, 2), purpose, torch.arange(n))
        for purpose in (Purpose.FORWARD, Purpose.DERIVATIVE)
    )
    p = 1 / (1 + math.exp(-gain * value))
    d = first != second

    def near(found, expected):
        assert float(found) == pytest.approx(expected, abs=5 * math.sqrt(0.25 / n))

    near(first.mean(), p)
    near(d.float().mean(), 2 * p * (1 - p))
    near((d & (first == 1)).float().mean(), p * (1 - p))  # correlated with the forward bit


def test_the_comparator_is_a_table_of_logits():
    table = comparator(8.0)
    assert len(table) == 4097
    assert table[2048] == 0
    np.testing.assert_array_equal(table, -table[::-1])
    quantiles = np.arange(1, 4096) / 4096
    logits = np.log(quantiles / (1 - quantiles)) / 8
    np.testing.assert_allclose(table[1:-1] * UNIT, logits, atol=UNIT / 2 * 1.001)


@given(
    arrays(np.int64, st.integers(1, 20), elements=st.integers(-(10**6), 10**6)),
    st.integers(1, 100),
)
def test_a_carry_loses_nothing(counters, every):
    pulses, left = carry(torch.from_numpy(counters), every)
    assert torch.equal(pulses * every + left, torch.from_numpy(counters))
    assert (left.abs() < every).all()
    assert (left * torch.from_numpy(counters) >= 0).all()


@given(
    arrays(np.int64, (3, 5), elements=st.integers(-1000, 1000)),
    st.integers(2, 12), st.integers(0, 50),
)  # fmt: skip
def test_a_positional_carry_keeps_the_weight(digits, base, more):
    given_digits, limit = torch.from_numpy(digits), base + more
    found = carry_digits(given_digits, base, limit)
    assert torch.equal(value_of_digits(found, base), value_of_digits(given_digits, base))
    # a device that carried is below the base
    carried = given_digits[0].abs() >= limit
    assert (found[0][carried].abs() < base).all()
    assert torch.equal(found[0][~carried], given_digits[0][~carried])


@given(st.floats(-3, 3), st.floats(0.1, 2))
def test_weights_on_the_grid(value, limit):
    found = float(on_grid(torch.tensor(value, dtype=torch.float64), limit))
    assert abs(found) <= limit
    if abs(value) < limit:
        assert found / UNIT == round(found / UNIT)
        assert abs(found - value) <= UNIT / 2


def test_what_cannot_be_is_refused():
    z = torch.zeros(5, 2, dtype=torch.float64)
    for bad in (z.float(), z[0], z[:4]):
        with pytest.raises(EngramError, match=r"give \(sample, unit\)"):
            sample(bad, comparator(8.0), Address(0, 0), Purpose.FORWARD, SAMPLES)
    for name, address in (
        ("seed", Address(-1, 0)), ("layer", Address(0, 4096)),
        ("step", Address(0, 0, 2**32)), ("vote", Address(0, 0, 0, 2**16)),
    ):  # fmt: skip
        with pytest.raises(EngramError, match=f"{name}="):
            sample(z, comparator(8.0), address, Purpose.FORWARD, SAMPLES)
    with pytest.raises(EngramError, match="samples go from -1"):
        sample(z, comparator(8.0), Address(0, 0), Purpose.FORWARD, SAMPLES - 1)
    for gain in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(EngramError, match="gain="):
            comparator(gain)
    with pytest.raises(EngramError, match="carry=0"):
        carry(torch.zeros(1), 0)
    with pytest.raises(EngramError, match="base=1"):
        carry_digits(torch.zeros(2, 1), 1, 5)
    with pytest.raises(EngramError, match="limit=3"):
        carry_digits(torch.zeros(2, 1), 4, 3)
