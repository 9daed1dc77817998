"""A contact sheet: the hits of a search as one self-contained HTML file."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from engram.retrieval.picture import (
    UnreadablePictureError,
    decode,
    quiet_decoders,
    read_content,
)

SIDE = 240
"""Side of a thumbnail in pixels."""


def contact_sheet(title: str, hits: Sequence[tuple[str, str]], notes: Sequence[str]) -> str:
    """The page of a search, with thumbnails inside; it needs no other file and no network.

    Args:
        title: The query.
        hits: The path of each hit, and what is said of it.
        notes: Further lines.
    """
    cells = [
        {"name": _shown(Path(path).name), "link": Path(path).as_uri(), "image": thumbnail(path)}
        | {"about": about}
        for path, about in hits
    ]
    made = Environment(
        loader=PackageLoader("engram.retrieval", "."), autoescape=True, undefined=StrictUndefined
    )
    return made.get_template("sheet.html").render(title=title, cells=cells, notes=notes)


def thumbnail(path: str) -> str:
    """A small square picture as a data URI; empty if the file is not there or cannot be read.

    Args:
        path: The file.
    """
    try:
        with quiet_decoders():
            picture = decode(read_content(Path(path)), SIDE, Path(path).suffix)
    except UnreadablePictureError:
        return ""
    content = BytesIO()
    Image.fromarray(picture.pixels).save(content, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{b64encode(content.getvalue()).decode()}"


def _shown(name: str) -> str:
    """A name that can be written as UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
