"""Counts of the presidential corpus against regular expressions over its texts."""

import os
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from engram.policy import segment
from engram.policy.document import Document
from engram.policy.embedded import EmbeddedEngine

ARCHIVE = Path(os.environ.get("ENGRAM_DATA", "")) / "policy" / "state-of-the-union.tar.xz"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not ARCHIVE.is_file(), reason="ENGRAM_DATA names no messages"),
]

QUERIES = {
    "tax": r"tax(?:es|ed|ing)?",
    "=tax": "tax",
    "imports": r"import(?:s|ed|ing)?",
    "=imports": "imports",
    "important": "important",
    "news": "news",
    "=new": "new",
    "generous": "generous",
    "industry*": r"industry(?:[.']?\w)*",
    "industr*": r"industr(?:[.']?\w)*",
    '"income tax"': r"incomes?[\s-]+tax(?:es|ed|ing)?",
    '="tax cuts"': r"tax[\s-]+cuts",
    "don't": "don't",
    "=don’t": "don't",
}
"""Queries, and what they mean as expressions between word boundaries."""


@pytest.fixture(scope="module")
def texts() -> list[str]:
    with tarfile.open(ARCHIVE) as archive:
        members = [member for member in archive if member.name.endswith(".txt")]
        return [archive.extractfile(x).read().decode() for x in members]  # pyright: ignore


@pytest.fixture(scope="module")
def engine(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    path = tmp_path_factory.mktemp("real") / "s.sqlite"
    made = (
        Document(f"d:{i}", "message", date(1900, 1, 1), "", text) for i, text in enumerate(texts)
    )
    segment.write(path, made)
    engine = EmbeddedEngine([path])
    yield engine
    engine.close()


@pytest.mark.parametrize("query", QUERIES)
def test_counts_and_forms_are_those_of_a_regular_expression(
    engine: EmbeddedEngine, texts: list[str], query: str
) -> None:
    possessive = "" if query.startswith("=") or query.endswith("*") else "(?:'s)?"
    follows = "(?!'[a-z])" if query.startswith("=") else ""
    expression = re.compile(
        rf"(?<!\w)(?<!\w[.'])(?:{QUERIES[query]}){possessive}(?!\w){follows}", re.I
    )
    found: Counter[str] = Counter()
    for text in texts:
        found.update(x[0].lower() for x in expression.finditer(text.replace("’", "'")))
    assert engine.tally(query, None).occurrences[0] == found.total()
    if " " not in query:
        forms = dict(engine.forms(query)[0].forms)
        assert sum(forms.values()) == found.total()
        plain = dict.fromkeys((form.rstrip(".'") for form in found), 0)
        for form, count in found.items():
            plain[form.rstrip(".'")] += count
        assert forms == plain
