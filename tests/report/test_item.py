import base64
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engram.errors import EngramError
from engram.report import Figure, Picture, Published, Scalar, Table

LIST: Any = [1]


def test_numpy_numbers_become_plain_ones() -> None:
    half: Any = np.float32(0.5)
    one: Any = np.int64(1)
    yes: Any = np.bool_(True)
    scalar = Scalar("rate", half, low=np.float64(0.25), high=one)
    assert [type(x) for x in (scalar.value, scalar.low, scalar.high)] == [float, float, int]
    table = Table("t", ["a", "b"], [(one, yes)])
    assert [type(cell) for cell in table.rows[0]] == [int, bool]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scalar("", 1.0), "no name"),
        (lambda: Scalar("rate", float("nan")), "value of 'rate' is nan"),
        (lambda: Scalar("rate", 1.0, low=0.0), "both or neither"),
        (lambda: Scalar("rate", 1.0, low=2.0, high=3.0), "outside its interval"),
        (lambda: Scalar("rate", None, low=2.0, high=3.0), "outside its interval"),
        (lambda: Published(float("inf"), "paper"), "published value is inf"),
        (lambda: Published(1.0, ""), "the number and paper"),
        (lambda: Table("", ["a"], []), "no title"),
        (lambda: Table("t", [], []), "no columns"),
        (lambda: Table("t", ["a", "b"], [(1,)]), "1 cells for 2 columns"),
        (lambda: Table("t", ["a"], [(float("nan"),)]), "a cell of table 't' is nan"),
        (lambda: Table("t", ["a"], [(LIST,)]), "a cell of table 't'"),
        (lambda: Figure("f", []), "a list of names"),
        (lambda: Figure("f", "rate"), "a list of names"),
        (lambda: Figure("f", ["rate"], kind="bar", x_log=True), "leave x_log out"),
        (lambda: Figure("f", ["rate"], kind="pie"), "kind is 'pie'"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_item_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_picture_is_a_png_of_its_pixels() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    picture = Picture.of("pixels", pixels, "caption")
    read = np.array(Image.open(BytesIO(base64.b64decode(picture.png))))
    np.testing.assert_array_equal(read, pixels)
    with pytest.raises(EngramError, match="give 8-bit values"):
        Picture.of("pixels", pixels.astype(float))
    with pytest.raises(EngramError, match="is no PNG file"):
        Picture("pixels", "abc")
