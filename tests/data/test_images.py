from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from engram.data import DataError
from engram.data.images import Encoded, Images, jpeg_quality, open_images


def png(pixels, name="a.png", **options):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **options)
    return Encoded(buffer.getvalue(), name)


def jpeg(quality):
    buffer = BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return Encoded(buffer.getvalue(), "a.jpg")


@pytest.fixture
def colour():
    return np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def test_pictures_are_decoded_as_they_were(colour):
    images = open_images([png(colour), png(255 - colour)], None)
    assert len(images) == 2
    assert np.array_equal(images[0], colour)
    assert np.array_equal(images[-1], 255 - colour)
    assert [image.shape for image in images[:1]] == [(4, 6, 3)]
    assert images[0].flags.writeable


def test_grey_stays_grey_until_a_colour_joins(colour):
    grey = colour[..., 0]
    assert np.array_equal(open_images([png(grey)], None)[0], grey)
    assert np.array_equal(open_images([png(grey), png(colour)], None)[0][..., 2], grey)


def test_a_size_covers_then_crops_the_centre():
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 5:25] = 200  # a margin about the central 10 columns
    image = open_images([png(wide)], (5, 5))[0]
    assert image.shape == (5, 5)
    assert (image == 200).all()


def test_unequal_sizes_name_two_files_and_the_remedy():
    small, large = np.zeros((4, 6), np.uint8), np.zeros((4, 7), np.uint8)
    with pytest.raises(DataError, match=r"a\.png is 6 x 4 but b\.png is 7 x 4: give size"):
        open_images([png(small), png(large, "b.png")], None)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_picture_is_named(content):
    with pytest.raises(DataError, match=r"b\.png is not a readable image .* replace or remove"):
        open_images([png(np.zeros((4, 6), np.uint8)), Encoded(content, "b.png")], None)


def test_a_cut_picture_is_named_when_it_is_decoded():
    whole = jpeg(90)
    assert isinstance(whole.content, bytes)
    images = Images([Encoded(whole.content[:-200], "a.jpg")], "RGB", None)
    with pytest.raises(DataError, match=r"a\.jpg is not a readable image"):
        images[0]


def test_sixteen_bits_are_refused():
    with pytest.raises(DataError, match="convert it to 8 bits"):
        open_images([png(np.zeros((4, 6), np.uint16))], None)


@pytest.mark.parametrize("quality", [20, 50, 75, 90, 95])
def test_the_quality_of_a_jpeg_is_recovered(quality):
    assert jpeg_quality(jpeg(quality)) == quality


def test_a_png_has_no_jpeg_quality(colour):
    assert jpeg_quality(png(colour)) is None
