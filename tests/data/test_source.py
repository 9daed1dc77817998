import pytest

from engram import data


def test_a_source_is_found_where_the_folder_or_the_cache_has_it(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "policy"
    folder.mkdir(parents=True)
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(data.DataError, match=r"shiller is not on this computer.*github"):
        data.path("shiller")
    with pytest.raises(data.DataError, match="shiller is not on this computer"):
        data.fetch("shiller")
    name = "shiller-monthly-1871-2023.csv"
    cached = tmp_path / "cache" / "engram" / "shiller" / name
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert data.path("shiller") == cached
    (folder / name).touch()
    assert data.path("shiller") == data.fetch("shiller") == folder / name


def test_a_misspelt_source_is_guessed_and_none_shadows_a_dataset():
    with pytest.raises(data.DataError, match="did you mean 'us-economy'"):
        data.path("us-econmy")
    assert not set(data.SOURCES) & set(data.CATALOGUE)
    assert all(
        (source.places or source.embedded) and source.origin for source in data.SOURCES.values()
    )
