"""The Hein-bound and Hein-daily speech files of Gentzkow, Shapiro and Taddy.

A Congress NNN has three pipe-separated files: `speeches_NNN.txt` (speech_id|speech),
`descr_NNN.txt` (when and where each speech was given) and `NNN_SpeakerMap.txt` (who gave it).

References:
    Gentzkow, Shapiro and Taddy, Congressional Record for the 43rd-114th Congresses: Parsed
    Speeches and Phrase Counts, Stanford Libraries, 2018, data.stanford.edu/congress_text.
"""

import hashlib
import re
from collections.abc import Iterator
from functools import partial

from engram.policy.document import Document, Rejection
from engram.policy.loader.material import (
    Item,
    Loader,
    Material,
    attempt,
    decode_western,
    iso_day,
    lines,
    party,
    rejected,
    state,
)

_NAME = re.compile(r"(?:^|/)speeches_(\d{3})\.txt$")
_CHAMBERS = {"H": "house", "S": "senate", "E": "extensions"}
_UNKNOWN = ("", "Unknown", "None")
_BOTH_EDITIONS = range(97, 112)
_Table = dict[bytes, list[bytes]]


def _companions(path: str) -> dict[str, str]:
    folder, _, file = path.rpartition("/")
    number = file[len("speeches_") : -len(".txt")]
    prefix = f"{folder}/" if folder else ""
    return {
        "descr": f"{prefix}descr_{number}.txt",
        "speakers": f"{prefix}{number}_SpeakerMap.txt",
    }


def _read(material: Material) -> Iterator[Item]:
    found = _NAME.search(material.name)
    assert found, "the loader is only given files that it matches"
    congress = int(found[1])
    wanted = {line.partition(b"|")[0] for _, line in lines(material)}
    described = _table(material.companions.get("descr", b""), 0, wanted)
    speakers = _table(material.companions.get("speakers", b""), 1, wanted)
    for position, line in lines(material):
        if line.startswith(b"speech_id|"):
            continue
        key = line.partition(b"|")[0]
        own, who = described.get(key), speakers.get(key)
        origin = f"{material.origin}, byte {position}"
        item = attempt(partial(_document, line, own, who, congress), origin, line, "hein")
        yield item
        if isinstance(item, Document) and not all(
            map(_is_utf8, (line, *(own or ()), *(who or ())))
        ):
            detail = f"speech {key.decode()} is not UTF-8; it was read as Windows-1252"
            yield rejected("other-encoding", detail, origin, line, "hein")


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _table(data: bytes, key: int, wanted: set[bytes]) -> _Table:
    """The rows of a pipe-separated file with the wanted keys, by key."""
    rows = (line.split(b"|") for line in data.splitlines())
    return {row[key]: row for row in rows if len(row) > key and row[key] in wanted}


def _document(
    line: bytes,
    described: list[bytes] | None,
    mapped: list[bytes] | None,
    congress: int,
) -> Document:
    key, separator, text = decode_western(line).partition("|")
    if not separator or not key.isdigit():
        raise Rejection("malformed-record", "the line is not speech_id|speech")
    if not text.strip():
        raise Rejection("missing-field", f"speech {key} has no text")
    if described is None:
        raise Rejection("missing-field", f"speech {key} is not in the descr file")
    descr = [decode_western(value).strip() for value in described]
    who = [decode_western(value).strip() for value in mapped or []]
    matched = len(who) > 7
    return Document(
        id=f"hein:{_native(key, descr, congress)}",
        doc_type="speech",
        date=iso_day(descr[2], f"the date of speech {key}"),
        title="",
        text=text,
        congress=congress,
        chamber=_CHAMBERS.get(descr[1]),
        speaker=f"{who[3]} {who[2]}".title() if matched else _known(descr[4]),
        party=party(who[7]) if matched else None,
        state=state(_known(who[5] if matched else descr[7])),
        source="hein",
    )


def _native(key: str, descr: list[str], congress: int) -> str:
    """The unique identifier of a speech.

    The bound edition (43rd to 111th Congress) and the daily one (97th to 114th) number their
    speeches in the same way but divide them differently. Where both exist, the position in the
    printed file, from the descr file, is part of the identifier.
    """
    if congress not in _BOTH_EDITIONS:
        return key
    place = "|".join(descr[1:4] + descr[9:12])
    return f"{key}-{hashlib.blake2b(place.encode(), digest_size=4).hexdigest()}"


def _known(value: str) -> str | None:
    return None if value in _UNKNOWN else value


LOADER = Loader(
    name="hein",
    description="Hein-bound and Hein-daily speeches (speeches_NNN.txt, descr, SpeakerMap)",
    matches=_NAME,
    read=_read,
    by_line=True,
    companions=_companions,
    beside=re.compile(r"(?:^|/)(?:descr_\d{3}|\d{3}_SpeakerMap)\.txt$"),
)
