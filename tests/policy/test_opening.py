"""The engine of a record, as it is opened for the command line and for studies."""

from pathlib import Path

import pytest

from engram.policy import Store, StoreError, ingest
from engram.policy.opening import open_engine
from engram.policy.solr import SolrEngine


def test_the_store_answers_with_its_notes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1900-01-01-address.txt").write_text("A tax, and a tax.")
    ingest([tmp_path / "in"], tmp_path / "s", workers=1)
    with open_engine(str(tmp_path / "s")) as engine:
        assert engine.tally("tax", None).occurrences.sum() == 2
        assert list(engine.notes) == list(Store(tmp_path / "s").manifest.notes())
    with pytest.raises(StoreError, match="nowhere"), open_engine(str(tmp_path / "nowhere")):
        pass


def test_solr_answers_at_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENGRAM_SOLR_URL", raising=False)
    with pytest.raises(ValueError, match="ENGRAM_SOLR_URL"), open_engine("record", "solr"):
        pass
    with open_engine("record", "solr", "http://127.0.0.1:9/solr/x") as engine:
        assert isinstance(engine, SolrEngine)
