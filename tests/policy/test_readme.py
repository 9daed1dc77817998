"""The queries that the page shows are queries, and the columns of its schema are the schema's."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from engram.policy import DOC_TYPES, Document
from engram.policy.query import parse

PAGE = Path(__file__).parents[2] / "src" / "engram" / "policy" / "README.md"
ASKING = PAGE.read_text().partition("## Queries")[2].partition("Occurrences are")[0]
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


def test_the_times_of_the_page_are_those_that_were_measured() -> None:
    text = PAGE.read_text()
    (target,) = re.findall(r"\]\(([^)]+/policy-[^)]+\.json)\)", text)
    measured = json.loads((PAGE.parent / target).read_text())
    median = {one["name"]: one["stats"]["median"] for one in measured["benchmarks"]}
    speed = {one["name"]: one["extra_info"] for one in measured["benchmarks"]}
    sizes = measured["sizes"]
    tokens = sizes["tokens"] / 1e6
    assert f"| | {tokens:.1f} M tokens | {100 * tokens:.0f} M tokens |" in text
    assert f"index | {speed['writing: ingest']['mb_per_s']:.1f} MB/s of text | |" in text
    assert f"share of the text | {sizes['index'] / sizes['text']:.2f} | |" in text
    for name, words in (
        ("yearly series, phrase", "yearly series of a phrase"),
        ("yearly series, common phrase", "the same for a phrase of common words"),
        ("yearly series, proximity", "the same for words in proximity"),
        ("context page", "a page of context"),
    ):
        once, many = 1000 * median[f"1x apsw: {name}"], median[f"100x apsw: {name}"]
        assert f"| {words} | {once:.2g} ms | {many:.2f} s |" in text
