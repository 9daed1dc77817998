import dataclasses
import functools
import gzip
import hashlib
import re
import struct
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from engram import data
from engram.data import CATALOGUE, DataError, RemoteFile

NAMES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


@pytest.fixture(autouse=True)
def _nothing_here(monkeypatch, tmp_path):
    """An empty cache, no data folder, and addresses that nobody answers."""
    monkeypatch.delenv("ENGRAM_DATA", raising=False)
    monkeypatch.setattr(
        "engram.data.loading.user_cache_path", lambda *args, **kwargs: tmp_path / "cache"
    )
    for name, entry in CATALOGUE.items():
        files = tuple(
            dataclasses.replace(file, url="http://127.0.0.1:9/" + file.name) for file in entry.files
        )
        monkeypatch.setitem(CATALOGUE, name, dataclasses.replace(entry, files=files))


def write_mnist(folder, value):
    folder.mkdir(parents=True)
    for name in NAMES:
        shape = (3, 2, 2) if "images" in name else (3,)
        values = np.full(shape, value, np.uint8)
        header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
        file = folder / f"{name}-ubyte.gz"
        file.write_bytes(gzip.compress(header + values.tobytes(), mtime=0))
    return folder


def test_the_argument_comes_before_the_variable_before_the_cache(tmp_path, monkeypatch):
    write_mnist(tmp_path / "cache" / "mnist", 1)
    assert data.load("mnist").train.labels[0] == 1
    write_mnist(tmp_path / "env" / "mnist", 2)
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "env"))
    assert data.load("mnist").train.labels[0] == 2
    own = write_mnist(tmp_path / "own" / "mnist", 3)
    assert data.load("mnist", folder=own).train.labels[0] == 3
    assert data.load("mnist", folder=str(own.parent)).train.labels[0] == 3


def test_path_and_fetch_say_what_load_would_read(tmp_path, monkeypatch):
    folder = write_mnist(tmp_path / "env" / "mnist", 2)
    monkeypatch.setenv("ENGRAM_DATA", str(folder.parent))
    assert data.path("mnist") == data.fetch("mnist") == folder
    assert (data.path("digits") / "digits.csv.gz").is_file()
    assert data.fetch("digits") == data.path("digits")


def test_a_data_folder_without_the_set_falls_back_to_the_cache(tmp_path, monkeypatch):
    (tmp_path / "env").mkdir()
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "env"))
    folder = write_mnist(tmp_path / "cache" / "mnist", 1)
    assert data.path("mnist") == folder


def test_an_unfinished_cache_is_not_read(tmp_path):
    folder = write_mnist(tmp_path / "cache" / "mnist", 1)
    (folder / f"{NAMES[3]}-ubyte.gz").unlink()
    with pytest.raises(DataError, match="mnist is not on this computer"):
        data.path("mnist")


def test_files_of_another_hash_are_read_and_said_to_be(tmp_path, monkeypatch):
    folder = write_mnist(tmp_path / "mnist", 3)
    strange = data.load("mnist", folder=folder)
    assert strange.notes[0].startswith("not the canonical files (their sha256 differs): train-im")
    assert all(re.fullmatch("[0-9a-f]{64}", found) for found in strange.sha256.values())
    known = tuple(
        dataclasses.replace(file, sha256=strange.sha256[file.name])
        for file in CATALOGUE["mnist"].files
    )
    monkeypatch.setitem(CATALOGUE, "mnist", dataclasses.replace(CATALOGUE["mnist"], files=known))
    assert data.load("mnist", folder=folder).notes == ()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


def test_what_is_nowhere_is_downloaded_once(tmp_path, monkeypatch):
    published = write_mnist(tmp_path / "published", 4)
    handler = functools.partial(Quiet, directory=published)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        files = tuple(
            RemoteFile(
                file.name,
                f"http://127.0.0.1:{server.server_port}/{file.name}",
                hashlib.sha256((published / file.name).read_bytes()).hexdigest(),
            )
            for file in CATALOGUE["mnist"].files
        )
        entry = dataclasses.replace(CATALOGUE["mnist"], files=files)
        monkeypatch.setitem(CATALOGUE, "mnist", entry)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            first = data.load("mnist")
        finally:
            server.shutdown()
            thread.join()
    assert data.path("mnist") == tmp_path / "cache" / "mnist"
    for dataset in (first, data.load("mnist")):
        assert dataset.train.labels.tolist() == [4, 4, 4]
        assert dataset.notes == ()


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if entry.files])
def test_offline_one_sentence_says_what_to_do(name, tmp_path):
    for call in (data.load, data.fetch, data.path):
        with pytest.raises(DataError) as caught:
            call(name)
        message = str(caught.value)
        assert message.startswith(f"{name} is not on this computer")
        assert str(tmp_path / "cache" / name) in message
        assert "ENGRAM_DATA" in message
        assert all(file.name in message for file in CATALOGUE[name].files)
        assert "\n" not in message


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"mnist is not on this computer and .*cache"):
        data.load("mnist")


@pytest.mark.parametrize("call", [data.load, data.fetch, data.path])
def test_an_unknown_name_meets_the_nearest(call):
    with pytest.raises(DataError, match=r"mnits'.*did you mean 'fashion-mnist'") as caught:
        call("fashion-mnits")
    assert all(name in str(caught.value) for name in CATALOGUE)


def test_a_name_like_no_other_still_meets_the_list():
    with pytest.raises(DataError, match="there is no dataset 'zzz': choose one of digits, mnist"):
        data.load("zzz")


def test_a_table_is_found_where_the_folder_or_the_cache_has_it(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "policy"
    folder.mkdir(parents=True)
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "data"))
    with pytest.raises(data.DataError, match=r"shiller is not on this computer.*github"):
        data.path("shiller")
    with pytest.raises(data.DataError, match="shiller is not on this computer"):
        data.fetch("shiller")
    with pytest.raises(data.DataError, match="shiller has no labelled examples to load"):
        data.load("shiller")
    name = "shiller-monthly-1871-2023.csv"
    cached = tmp_path / "cache" / "shiller" / name
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert data.path("shiller") == cached
    (folder / name).touch()
    assert data.path("shiller") == data.fetch("shiller") == folder / name


def test_a_folder_that_is_not_there_is_named(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="nowhere is missing"):
        data.load("mnist", folder=tmp_path / "nowhere")
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"ENGRAM_DATA names .*nowhere, which is not a folder"):
        data.load("mnist")


def test_a_size_is_for_the_users_own_pictures():
    with pytest.raises(DataError, match="size=16 is for imagefolder:, parquet:, webdataset: only"):
        data.load("digits", size=16)


def test_every_entry_can_be_listed_and_found():
    for name, entry in CATALOGUE.items():
        assert name == name.lower()
        assert len(entry.description) < 90
        assert "\n" not in entry.description
        assert entry.licence
        assert (entry.kind is None) == (entry.read is None) == (not entry.classes)
        by_hand_or_not = bool(entry.files) != bool(entry.origin)
        assert by_hand_or_not == bool(entry.places) != bool(entry.embedded)
        assert (entry.sensor is not None) == (entry.kind == "events")
        for file in entry.files:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256)
