import io
import tarfile
from typing import Any, cast

import pytest

from engram.data import DataError
from engram.data.archive import members, sources


def read(path, pattern):
    return {
        name: raw for source in sources(path, pattern) for name, raw in members(source, pattern)
    }


def test_every_form_holds_the_same_files(keep):
    path = keep({"a/1.bin": b"one", "b/2.bin": b"two", "b/readme.txt": b"no", "b/._2.bin": b"no"})
    found = read(path, "*.bin")
    assert {name.removeprefix("set/"): raw for name, raw in found.items()} == {
        "a/1.bin": b"one",
        "b/2.bin": b"two",
    }


def test_a_folder_without_files_says_what_to_put_there(tmp_path):
    with pytest.raises(DataError, match=r"holds no \*\.wav and no archive .* put the files there"):
        sources(tmp_path, "*.wav")


@pytest.mark.parametrize("compression", ["", "gz", "xz", "bz2"])
def test_a_truncated_archive_is_named(tmp_path, compression):
    path = tmp_path / "cut.tar"
    with tarfile.open(path, cast("Any", f"w:{compression}")) as archive:
        member = tarfile.TarInfo("a.bin")
        member.size = 100_000
        archive.addfile(member, io.BytesIO(bytes(range(250)) * 400))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.tar is not a complete .* complete copy"):
        list(members(path, "*.bin"))


def test_a_file_of_another_kind_is_named(tmp_path):
    path = tmp_path / "set.zip"
    path.write_bytes(b"not an archive")
    with pytest.raises(DataError, match=r"set\.zip is not a complete"):
        list(members(path, "*.bin"))
