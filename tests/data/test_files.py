import io
import os
import socket
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any, cast

import pytest

from engram.data.files import Archive, Folder, InputError, open_inputs, shown


def lay(root, content):
    for name, data in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


CONTENT = {"b/2.txt": b"two", "a.txt": b"one", "b/1.txt": b"", "c/d/3.txt": b"three"}


def test_a_folder_lists_its_files_in_order_and_hides_hidden_ones(tmp_path):
    lay(tmp_path, CONTENT | {".git/config": b"x", "b/.DS_Store": b"x"})
    [folder] = open_inputs(str(tmp_path))
    assert [file.name for file in folder.files()] == ["a.txt", "b/1.txt", "b/2.txt", "c/d/3.txt"]
    assert [file.size for file in folder.files()] == [3, 0, 3, 5]


def test_a_link_to_a_folder_is_followed_and_each_folder_is_read_once(tmp_path):
    lay(tmp_path, {"texts/1.txt": b"one", "in/b/2.txt": b"two"})
    (tmp_path / "in" / "2005").symlink_to("../texts")
    (tmp_path / "in" / "again").symlink_to("../texts")
    (tmp_path / "in" / "b" / "loop").symlink_to("..")
    (tmp_path / "in" / "itself").symlink_to("itself")
    (tmp_path / "in" / "nothing").symlink_to("nowhere")
    [folder] = open_inputs(str(tmp_path / "in"))
    assert [file.name for file in folder.files()] == ["2005/1.txt", "b/2.txt"]
    left = {one.name: one.reason for one in folder.left_out}
    assert set(left) == {"again", "b/loop", "itself", "nothing"}
    assert left["again"] == "a link to 2005, which is already read"
    assert left["nothing"] == "a broken link"


def test_what_is_no_regular_file_is_named_and_never_opened(tmp_path):
    lay(tmp_path, {"a.txt": b"one"})
    os.mkfifo(tmp_path / "2001-01-01-pipe.txt")
    os.mkfifo(tmp_path / "packed.zip")
    os.mkfifo(tmp_path / "mods.xml")
    (tmp_path / "2001-01-02-device.txt").symlink_to("/dev/zero")
    here = socket.socket(socket.AF_UNIX)
    here.bind(str(tmp_path / "s"))
    [folder] = open_inputs(str(tmp_path))
    assert [file.name for file in folder.files()] == ["a.txt"]
    here.close()
    left = {one.name: one.reason for one in folder.left_out}
    assert "named pipe" in left["2001-01-01-pipe.txt"]
    assert "device" in left["2001-01-02-device.txt"]
    assert "socket" in left["s"]
    assert len(left) == 5
    assert not folder.has("mods.xml"), "it would be read beside a page"
    for name in ("packed.zip", "mods.xml"):
        with pytest.raises(InputError, match=f"{name} is a named pipe"):
            open_inputs(str(tmp_path / name))


def test_hidden_files_are_named(tmp_path):
    lay(tmp_path, CONTENT | {".git/config": b"x", "b/.DS_Store": b"x"})
    [folder] = open_inputs(str(tmp_path))
    list(folder.files())
    list(folder.files())
    assert [one.name for one in folder.left_out] == [".git", "b/.DS_Store"]


def test_members_that_are_no_files_are_named_and_the_rest_is_read(tmp_path):
    path = tmp_path / "record.tar"
    with tarfile.open(path, "w") as archive:
        for name in (r"texts\2001-01-01-x.txt", "./good.txt", ".hidden"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"one"))
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "good.txt"
            archive.addfile(info)
        info = tarfile.TarInfo("pipe")
        info.type = tarfile.FIFOTYPE
        archive.addfile(info)
    with zipfile.ZipFile(tmp_path / "record.zip", "w") as archive:
        archive.writestr("good.txt", "one")
        archive.writestr(r"texts\2001-01-01-x.txt", "one")
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "good.txt")
    for suffix, left in (("tar", {".hidden", "link", "hard", "pipe"}), ("zip", {"link"})):
        archive = Archive(str(tmp_path / f"record.{suffix}"))
        assert {file.name for file in archive.files()} == {"good.txt", "texts/2001-01-01-x.txt"}
        assert {one.name for one in archive.left_out} == left
        assert archive.damage is None


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("a\nb.txt", r"a\nb.txt"),
        ("a\u202eb.txt", r"a\u202eb.txt"),
        ("a\udcffb.txt", r"a\udcffb.txt"),
        ("\x1b[31m.txt", r"\x1b[31m.txt"),
        ("Café 中.txt", "Café 中.txt"),
    ],
)
def test_a_name_is_shown_so_that_it_can_be_read(name, printed):
    assert shown(name) == printed
    printed.encode()


def test_archives_in_a_folder_are_inputs_of_their_own(tmp_path):
    lay(tmp_path, {"a.txt": b"one"})
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("z.txt", "z")
    folder, archive = open_inputs(str(tmp_path))
    assert isinstance(archive, Archive)
    assert [file.name for file in folder.files()] == ["a.txt"]
    assert [file.name for file in archive.survey(lambda name: False)] == ["z.txt"]
    archive.close()


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tgz", "tar.xz", "tar.bz2", "zip"])
def test_archives_give_what_was_put_in_and_keep_what_stands_beside(tmp_path, suffix):
    path = tmp_path / f"record.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in CONTENT.items():
                archive.writestr(name, data)
    else:
        mode = {"tar": "w", "tgz": "w:gz"}.get(suffix, f"w:{suffix[4:]}")
        with tarfile.open(path, cast("Any", mode)) as archive:
            for name, data in CONTENT.items():
                info = tarfile.TarInfo(f"./{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    archive = Archive(str(path))
    beside = "c/d/3.txt".__eq__
    assert {file.name: file.size for file in archive.survey(beside)} == {
        name: len(data) for name, data in CONTENT.items()
    }
    assert {file.name: file.stream.read() for file in archive.files()} == CONTENT
    assert Path(archive.companion("c/d/3.txt")).read_bytes() == b"three"
    assert archive.has("a.txt")
    assert not archive.has("x.txt")
    archive.close()
    assert archive.damage is None


@pytest.mark.parametrize("suffix", ["tar.xz", "tar.gz", "zip"])
def test_a_damaged_archive_says_so_and_does_not_raise(tmp_path, suffix):
    path = tmp_path / f"record.{suffix}"
    data = io.BytesIO()
    if suffix == "zip":
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr("a.txt", "a" * 1000)
    else:
        with tarfile.open(fileobj=data, mode=cast("Any", f"w:{suffix[4:]}")) as archive:
            for number in range(50):
                info = tarfile.TarInfo(f"{number}.txt")
                info.size = 100
                archive.addfile(info, io.BytesIO(bytes(range(100))))
    path.write_bytes(data.getvalue()[: len(data.getvalue()) // 2])
    archive = Archive(str(path))
    list(archive.survey(lambda name: False))
    assert "damaged" in archive.damage
    archive.close()


def test_what_is_not_there_is_named():
    with pytest.raises(InputError, match="/nowhere/at/all"):
        open_inputs("/nowhere/at/all")


def test_one_file_is_read_with_its_neighbours(tmp_path):
    lay(tmp_path, CONTENT)
    [folder] = open_inputs(str(tmp_path / "b" / "2.txt"))
    assert isinstance(folder, Folder)
    assert [file.name for file in folder.files()] == ["2.txt"]
    assert folder.has("1.txt")
