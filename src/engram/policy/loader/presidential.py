"""Presidential speeches, a text file each: YYYY-MM-DD-title.txt, "President: NAME" above."""

import re
from collections.abc import Iterator
from functools import partial

from engram.policy.document import Document, Rejection
from engram.policy.loader.material import Item, Loader, Material, attempt, decode, iso_day

_NAME = re.compile(r"(?:^|/)(\d{4}-\d{2}-\d{2})-([^/.]+)(?:\.txt)?$")
_PRESIDENT = re.compile(r"\s*President: *(.+?) *(?:\r?\n|$)")
_SPEECHES = "https://millercenter.org/the-presidency/presidential-speeches"


def _read(material: Material) -> Iterator[Item]:
    build = partial(_document, material)
    yield attempt(build, material.origin, material.data, "presidential-speeches")


def _document(material: Material) -> Document:
    found = _NAME.search(material.name)
    assert found, "the loader is only given what it matches"
    day = iso_day(found[1], "the date in the file's name")
    text = decode(material.data)
    president = _PRESIDENT.match(text)
    body = (text[president.end() :] if president else text).strip()
    if not body:
        raise Rejection("missing-field", "the file holds no speech")
    slug = found[2]
    return Document(
        id=f"president:{found[1]}-{slug}",
        doc_type="speech",
        date=day,
        title=slug.replace("-", " ").capitalize(),
        text=body,
        chamber="executive",
        speaker=president[1] if president else None,
        source="presidential-speeches",
        url=f"{_SPEECHES}/{day:%B}-{day.day}-{day.year}-{slug}".lower(),
    )


LOADER = Loader(
    name="presidential-speeches",
    description="presidential speeches (YYYY-MM-DD-title.txt)",
    matches=_NAME,
    read=_read,
)
