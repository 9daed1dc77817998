"""The commands over Solr: a store pushed there gives the answers that it gives itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from engram import cli
from engram.policy import ingest
from tests.policy.solr.server import Server
from tests.policy.solr.test_push import speeches

pytestmark = [pytest.mark.solr, pytest.mark.xdist_group("solr")]


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert cli.main(["policy", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def assert_equal(one: Any, other: Any) -> None:
    """Equal, but for the last digit of sums that were added up in another order."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == (pytest.approx(other, rel=1e-12) if isinstance(one, float) else other)


def test_a_store_that_was_pushed_gives_the_same_answers(
    solr_node: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ingest([speeches(tmp_path / "in", 0, 90)], tmp_path / "record", workers=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENGRAM_SOLR_URL", solr_node.create("commands"))
    assert told(capsys, "solr", "push")["sent"] == 90
    assert cli.main(["policy", "solr", "push"]) == 0
    assert "90" in capsys.readouterr().out
    for words in (
        ("query", "{raise, cut} NEAR/3 {tax, duty}", "--interval", "bootstrap"),
        ("query", '"the tax"', "--by", "congress", "--measure", "share", "--facets", "type"),
        ("context", "tax"),
        ("compare", "tax", "duty"),
        ("coverage",),
    ):
        assert_equal(told(capsys, *words, "--engine", "solr"), told(capsys, *words))
