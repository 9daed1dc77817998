"""Text files whose names begin with a day: YYYY-MM-DD-title.txt.

The presidential speeches of the Miller Center have this form, with a first line "President: NAME".
If that line names a President as the center does, the text is attributed to that source; any other
text is plain, without office and link.
"""

import re

from engram.policy.document import Document, Rejection
from engram.policy.loader.material import (
    Loader,
    Material,
    decode,
    iso_day,
    whole,
    whole_words,
)

_NAME = re.compile(
    r"(?:^|/)(?P<day>\d{4}-\d{2}-\d{2})(?:-(?P<slug>[^/.]+)|[-_ .]*(?P<title>[^/]*?)\.txt)$",
    re.IGNORECASE,
)
_PRESIDENT = re.compile(r"\s*President: *(.+?) *(?:\n|$)")
_SPEECHES = "https://millercenter.org/the-presidency/presidential-speeches"
_PRESIDENTS = frozenset(
    (
        *("George Washington", "John Adams", "Thomas Jefferson", "James Madison"),
        *("James Monroe", "John Quincy Adams", "Andrew Jackson", "Martin Van Buren"),
        *("William Harrison", "John Tyler", "James K. Polk", "Zachary Taylor"),
        *("Millard Fillmore", "Franklin Pierce", "James Buchanan", "Abraham Lincoln"),
        *("Andrew Johnson", "Ulysses S. Grant", "Rutherford B. Hayes", "James A. Garfield"),
        *("Chester A. Arthur", "Grover Cleveland", "Benjamin Harrison", "William McKinley"),
        *("Theodore Roosevelt", "William Taft", "Woodrow Wilson", "Warren G. Harding"),
        *("Calvin Coolidge", "Herbert Hoover", "Franklin D. Roosevelt", "Harry S. Truman"),
        *("Dwight D. Eisenhower", "John F. Kennedy", "Lyndon B. Johnson", "Richard Nixon"),
        *("Gerald Ford", "Jimmy Carter", "Ronald Reagan", "George H. W. Bush", "Bill Clinton"),
        *("George W. Bush", "Barack Obama", "Donald Trump", "Joe Biden"),
    )
)
"""The Presidents by the names that the Miller Center uses."""


def _document(material: Material) -> Document:
    found = _NAME.search(material.name)
    assert found, "the loader is only given files that it matches"
    day = iso_day(found["day"], "the date in the file's name")
    text = decode(material.data)
    president = _PRESIDENT.match(text)
    body = (text[president.end() :] if president else text).strip()
    if not body:
        raise Rejection("missing-field", "the file holds no text")
    slug = found["slug"] or found["title"] or "untitled"
    of_the_center = president is not None and president[1] in _PRESIDENTS
    link = f"{_SPEECHES}/{day:%B}-{day.day}-{day.year}-{slug}".lower()
    return Document(
        id=f"{'president' if of_the_center else 'text'}:{found['day']}-{slug}",
        doc_type="speech",
        date=day,
        title=" ".join(re.split(r"[-_\s]+", slug)).capitalize(),
        text=whole_words(body),
        chamber="executive" if of_the_center else None,
        speaker=president[1] if president else None,
        source="presidential-speeches" if of_the_center else "plain-text",
        url=link if of_the_center else None,
    )


LOADER = Loader(
    name="presidential-speeches",
    description="presidential speeches and plain texts (YYYY-MM-DD-title.txt)",
    matches=_NAME,
    read=whole(_document, "presidential-speeches"),
)
