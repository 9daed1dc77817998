"""Pictures of all kinds: the right way up, in 8 bits, or the reason why not."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from engram.retrieval import picture
from engram.retrieval.picture import UnreadablePictureError, content_key, decode

SIDE = 32


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """A smooth picture without any symmetry."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    return Image.fromarray(
        np.stack([255 * x, 255 * y, 200 * x * y + 20], axis=-1).round().astype(np.uint8)
    )


def saved(image: Image.Image, kind: str, **how) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **how)
    return content.getvalue()


# the transpositions that the orientations undo, from the standard (EXIF 2.3, 4.6.4)
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[:, ::-1],
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_gives_the_same_pixels(orientation: int, kind: str) -> None:
    expected = decode(saved(scene(), "PNG"), SIDE)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = Image.fromarray(np.ascontiguousarray(STORED[orientation](np.asarray(scene()))))
    how = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    found = decode(saved(turned, kind, exif=exif, **how), SIDE)
    assert found.facts[:2] == (96, 64)
    difference = np.abs(found.pixels.astype(int) - expected.pixels)
    assert difference.max() <= (6 if kind == "JPEG" else 1)


def test_the_centre_is_cropped_and_not_squeezed() -> None:
    wide = decode(saved(scene(96, 64), "PNG"), SIDE).pixels
    centre = scene(96, 64).crop((16, 0, 80, 64)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    assert np.abs(wide.astype(int) - np.asarray(centre)).max() <= 1


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "LA", "1"])
def test_other_modes_are_seen_as_they_look(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image = scene(64, 64).convert(mode)
    expected = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    found = decode(saved(image, kind), SIDE).pixels
    assert np.abs(found.astype(int) - np.asarray(expected)).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_brightness(kind: str) -> None:
    grey = np.asarray(scene(64, 64).convert("L")).astype(np.uint16)
    deep = decode(saved(Image.fromarray(grey * 257), kind), SIDE).pixels
    flat = decode(saved(scene(64, 64).convert("L"), "PNG"), SIDE).pixels
    assert np.abs(deep.astype(int) - flat).max() <= 1


def test_floating_point_is_scaled() -> None:
    values = np.linspace(-3, 5, 64 * 64, dtype=np.float32).reshape(64, 64)
    pixels = decode(saved(Image.fromarray(values), "TIFF"), SIDE).pixels
    assert pixels.min() <= 4
    assert pixels.max() >= 251


def test_transparent_parts_are_white() -> None:
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    assert (decode(saved(clear, "PNG"), SIDE).pixels == 255).all()
    palette = clear.convert("P")
    assert (decode(saved(palette, "PNG", transparency=palette.getpixel((0, 0))), SIDE).pixels
            == 255).all()  # fmt: skip


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_seen(kind: str) -> None:
    red, blue = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    how = {"lossless": True} if kind == "WEBP" else {}
    content = saved(red, kind, save_all=True, append_images=[blue, blue], duration=50, **how)
    np.testing.assert_allclose(decode(content, SIDE).pixels[0, 0], (255, 0, 0), atol=3)


def test_what_the_file_says_is_kept() -> None:
    exif = Image.Exif()
    exif[0x0110] = "Pixel 8\0"
    exif[0x0132] = "2020:01:01 00:00:00"
    exif.get_ifd(0x8769)[0x9003] = "2024:12:31 23:59:58"
    facts = decode(saved(scene(), "JPEG", exif=exif), SIDE).facts
    assert facts.taken == "2024-12-31T23:59:58"
    assert facts.exif["Model"] == "Pixel 8"
    exif[0x0112] = 250
    exif.get_ifd(0x8769)[0x9003] = "    :  :     :  :  "
    facts = decode(saved(scene(), "JPEG", exif=exif), SIDE).facts
    assert facts.taken == "2020-01-01T00:00:00"


def bomb() -> bytes:
    """A PNG of 100,000 × 100,000 pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data)
        )  # fmt: skip

    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "suffix", "reason"),
    [
        (b"", ".jpg", "is not a picture"),
        (b"not a picture at all", ".jpg", "is not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ".eps", "is not a picture"),
        (saved(scene(), "JPEG")[:900], ".jpg", "cannot be decoded: .*truncated"),
        (saved(scene(), "PNG")[:300], ".png", "cannot be decoded"),
        (bomb(), ".png", "has too many pixels"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ".heic", "pip install pillow-heif"),
        (b"II*\0", ".NEF", r"is a raw file of a camera \(\.nef\)"),
    ],
)
def test_a_file_that_is_not_read_has_its_reason(content, suffix, reason, monkeypatch) -> None:
    monkeypatch.setattr(picture, "find_spec", lambda name: None)
    with pytest.raises(UnreadablePictureError, match=reason):
        decode(content, SIDE, suffix)


@settings(max_examples=60)
@given(st.data())
def test_damage_of_any_kind_is_a_reason(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"]))
    content = bytearray(saved(scene(24, 16), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnreadablePictureError), picture.quiet_decoders():
        assert decode(bytes(content), SIDE).pixels.shape == (SIDE, SIDE, 3)


def test_the_look_tells_pictures_apart_and_survives_compression() -> None:
    def differ(one: bytes, other: bytes) -> int:
        looks = [int(decode(content, SIDE).facts.look, 16) for content in (one, other)]
        return (looks[0] ^ looks[1]).bit_count()

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC)
    small = image.resize((100, 100))
    assert differ(saved(image, "PNG"), saved(small, "JPEG", quality=60)) <= 4
    assert differ(saved(image, "PNG"), saved(ImageOps.mirror(image), "PNG")) > 16


def test_a_key_depends_on_the_content_only() -> None:
    assert content_key(b"a") == content_key(b"a") != content_key(b"b")
    assert len(content_key(b"")) == 32
