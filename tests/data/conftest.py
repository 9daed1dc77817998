"""One set of files, in each form that a user may keep them in."""

import tarfile
import zipfile
from typing import Any, cast

import pytest


@pytest.fixture(params=["folder", "tar", "tar.gz", "tar.xz", "zip", "folder of archives"])
def keep(request, tmp_path):
    """Store {path: content} in one of the forms and return where it stands."""

    def store(files):
        root = tmp_path / "kept"
        for name, content in files.items():
            file = root / "set" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        if request.param == "folder":
            return root
        if request.param == "zip":
            archive = tmp_path / "set.zip"
            with zipfile.ZipFile(archive, "w") as opened:
                for file in root.rglob("*.*"):
                    opened.write(file, file.relative_to(root))
            return archive
        compression = {"tar.gz": "gz", "tar.xz": "xz"}.get(request.param, "")
        suffix = f".{compression}" if compression else ""
        holder = tmp_path / "archives"
        holder.mkdir()
        archive = holder / f"set.tar{suffix}"
        with tarfile.open(archive, cast("Any", f"w:{compression}")) as opened:
            opened.add(root / "set", "set")
        return holder if request.param == "folder of archives" else archive

    return store
