import fsspec
import pytest

from engram.data import DataError, load
from engram.data.mirror import mirror
from tests.data.test_webdataset import png, shards


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def remote():
    fs = fsspec.filesystem("memory")
    yield fs
    fs.rm("/", recursive=True)


def test_a_copy_follows_its_folder(remote, monkeypatch):
    remote.pipe({"/data/a/one.txt": b"1", "/data/two.txt": b"2"})
    folder = mirror("memory://data")
    assert (folder / "a/one.txt").read_bytes() == b"1"
    read = []
    original = type(remote).get_file

    def get_file(self, path, *rest, **more):
        read.append(path)
        return original(self, path, *rest, **more)

    monkeypatch.setattr(type(remote), "get_file", get_file)
    assert mirror("memory://data") == folder
    assert read == []
    remote.rm("/data/two.txt")
    remote.pipe("/data/a/one.txt", b"new")
    mirror("memory://data")
    assert read == ["/data/a/one.txt"]
    assert (folder / "a/one.txt").read_bytes() == b"new"
    assert not (folder / "two.txt").exists()


def test_one_file_is_copied(remote):
    remote.pipe("/data/one.txt", b"1")
    assert mirror("memory://data/one.txt").read_bytes() == b"1"


def test_what_is_not_there_is_named():
    with pytest.raises(DataError, match="memory://nowhere"):
        mirror("memory://nowhere")


def test_remote_images_are_loaded(remote):
    for label in ("cat", "dog"):
        for number in range(5):
            remote.pipe(f"/pets/{label}/{number}.png", png(number))
    dataset = load("imagefolder:memory://pets")
    assert dataset.classes == ("cat", "dog")
    assert len(dataset.train) + len(dataset.test) == 10


@pytest.mark.s3
def test_shards_in_a_bucket_are_loaded(s3, tmp_path):
    s3.mkdir("pictures")
    shards(tmp_path / "shards", [4, 5, 6])
    s3.put(f"{tmp_path / 'shards'}/", "pictures/shards/", recursive=True)
    dataset = load("webdataset:s3://pictures/shards")
    assert len(dataset.train) + len(dataset.test) == 15
