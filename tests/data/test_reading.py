import io
import tarfile
import zipfile
from typing import Any, cast

import pytest

from engram.data import DataError
from engram.data.reading import members, sources


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


def test_an_archive_without_a_suffix_is_recognised(tmp_path):
    with zipfile.ZipFile(tmp_path / "set", "w") as archive:
        archive.writestr("a.bin", "one")
    assert list(members(tmp_path / "set", "*.bin")) == [("a.bin", b"one")]


def test_a_link_in_an_archive_is_not_passed_over(tmp_path):
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        link = tarfile.TarInfo("b.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "a.bin"
        archive.addfile(link)
    with pytest.raises(DataError, match=r"set\.tar: b\.bin cannot be read: a link to a\.bin"):
        list(members(tmp_path / "set.tar", "*.bin"))
