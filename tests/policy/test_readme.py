"""The queries that the page shows are queries, and the columns of its schema are the schema's."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from engram.policy import DOC_TYPES, Document
from engram.policy.query import parse

PAGE = Path(__file__).parents[2] / "src" / "engram" / "policy" / "README.md"
ASKING = PAGE.read_text().partition("## Asking")[2].partition("Occurrences are")[0]
SHOWN = [
    query
    for line in ASKING.splitlines()
    if line.startswith("| `")
    for cell in line.split(" | ")
    for query in re.findall("`([^`]+)`", cell)
]


@pytest.mark.parametrize("query", SHOWN)
def test_a_query_of_the_page_parses(query: str) -> None:
    assert parse(query)


def test_the_page_shows_the_language_and_the_schema() -> None:
    assert len(SHOWN) > 7
    text = PAGE.read_text()
    for name in (field.name for field in fields(Document) if field.name != "source"):
        assert f"`{name}`" in text
    assert all(kind in text for kind in DOC_TYPES)
