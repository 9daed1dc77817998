"""A small record with everything in it that can go wrong, as files by name."""

import json
import random
from typing import Any

WORDS = ("tax", "duty", "tariff", "increase", "reduce", "people", "war", "peace", "law", "money")


def files(seed: int = 0, speeches: int = 40) -> dict[str, bytes]:
    """Speeches, Hein files and votes, of which some are doubled, torn, undated or gigantic."""
    dice = random.Random(seed)
    found = {}
    for number in range(speeches):
        text = " ".join(dice.choices(WORDS, k=dice.randint(50, 400)))
        day = f"{1800 + number}-0{1 + number % 9}-1{number % 10}"
        found[f"speeches/{day}-address-{number}.txt"] = f"President: A B\n\n{text}.\n".encode()
    found["speeches/1850-02-30-never.txt"] = b"It was not said."
    found["speeches/1851-01-01-torn.txt"] = b"Torn \xff\xfe."
    found["speeches/1852-01-01-gigantic.txt"] = b"again " * 20_000
    lines = [f"11100{n:05}|{' '.join(dice.choices(WORDS, k=30))}" for n in range(200)]
    lines += [lines[7], "111000300|" + "long " * 30_000, lines[9]]
    found["hein/speeches_111.txt"] = "\n".join(["speech_id|speech", *lines, ""]).encode()
    found["hein/descr_111.txt"] = "".join(
        f"{line.partition('|')[0]}|H|20090106|1|Mr. A|A|A|Ohio|M|1|2|a|3|4\n" for line in lines
    ).encode()
    for number in range(30):
        vote = {"vote_id": f"h{number % 28}-111.2009", "chamber": "h", "congress": 111}
        vote |= {"session": "2009", "date": "2009-03-01T12:00:00-05:00", "question": "On Passage"}
        found[f"votes/{number}/data.json"] = json.dumps(vote | {"number": number}).encode()
    found["README"] = b"not of the record"
    return found


EXPECTED_DOCUMENTS = {"speech": 240, "vote": 28}
EXPECTED_REJECTED = {"bad-date": 1, "malformed-bytes": 1, "too-large": 2}
EXPECTED_REPEATED = 4
SETTINGS: dict[str, Any] = {"partition_size": 4_000, "limit": 100_000}
"""So small that the record has some twenty partitions, and its gigantic records are too large."""
