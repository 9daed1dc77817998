import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.report import Scalar
from engram.report.number import cell_text, column_text, is_numeric, scalar_text

POWERS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def read(text: str) -> float:
    mantissa, _, power = text.replace("−", "-").replace("\u202f", "").partition(" × 10")
    return float(mantissa) * 10.0 ** int(power.translate(POWERS) or 0)


@given(st.floats(-1e15, 1e15).filter(lambda x: x == 0 or abs(x) > 1e-15))
def test_a_number_reads_back_to_four_digits(number: float) -> None:
    assert read(cell_text(number)) == pytest.approx(number, rel=5.01e-4)


@given(st.integers(-(10**20), 10**20))
def test_an_integer_reads_back_whole(number: int) -> None:
    assert int(cell_text(number).replace("−", "-").replace("\u202f", "")) == number


@given(st.lists(st.floats(1e-3, 1e3) | st.none(), min_size=1).filter(any))
def test_the_numbers_of_a_column_share_their_decimals(cells: list[float | None]) -> None:
    texts = [text for text in column_text(cells) if text != "–"]
    assert len({len(text.partition(".")[2]) for text in texts}) == 1


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "–"),
        (True, "yes"),
        ("text", "text"),
        (2024, "2024"),
        (118282, "118\u202f282"),
        (0.5, "0.5"),
        (3.0, "3"),
        (-1.25, "−1.25"),
        (97.123456, "97.12"),
        (3.2e-7, "3.2 × 10⁻⁷"),
        (0.0, "0"),
    ],
)
def test_a_cell_is_written_as_a_reader_expects(cell, text: str) -> None:
    assert cell_text(cell) == text


def test_an_interval_sets_the_digits_of_its_value() -> None:
    assert scalar_text(Scalar("x", 0.97962, low=0.9778, high=0.98142)) == (
        "0.9796",
        "0.9778 to 0.9814",
    )
    assert scalar_text(Scalar("x", 3.0, low=3.0, high=3.0)) == ("3", "3 to 3")
    assert scalar_text(Scalar("x", 3.5)) == ("3.5", "")


def test_a_column_with_text_is_no_column_of_numbers() -> None:
    assert is_numeric([1, None, 2.0])
    assert not is_numeric([1, "a"])
    assert not is_numeric([True, False])
    assert not is_numeric([None])
