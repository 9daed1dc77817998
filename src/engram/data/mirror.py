"""A local copy of a remote folder, such as one under s3://, that is kept up to date."""

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from engram.data.dataset import DataError
from engram.data.files import open_location
from engram.progress import Progress, Step, silent

_INDEX = ".files.json"


def mirror(url: str, progress: Progress = silent) -> Path:
    """Copy the files of a remote folder, or one file, into the user's cache; return its path.

    Files that are there with the same size and version are not read again; files that are no
    longer in the folder are removed.

    Args:
        url: The folder or file, such as s3://bucket/folder.
        progress: Called with each file.

    Raises:
        DataError: If it cannot be read, is empty, or a name would leave the folder.
    """
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    folder = user_cache_path("engram", appauthor=False) / "remote" / digest
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.with_suffix(".lock")):  # the processes of a training copy once
            return _copied(url, folder, progress)
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{url} cannot be read ({type(error).__name__}: {error}): name a folder that exists "
            "and that your credentials may read, and see that the disk has space for its copy"
        ) from error


def _copied(url: str, folder: Path, progress: Progress) -> Path:
    fs, root = open_location(url)
    root = root.rstrip("/")
    found: dict[str, Any] = fs.find(root, detail=True)
    if not found:
        raise DataError(f"{url} does not exist, or holds no files: name a folder with files")
    base = root if set(found) != {root} else root.rpartition("/")[0]
    index = folder / _INDEX
    before = json.loads(index.read_text()) if index.exists() else {}
    versions: dict[str, list[Any]] = {}
    for number, (path, info) in enumerate(sorted(found.items())):
        name = path[len(base) :].lstrip("/")
        if not name or ".." in PurePosixPath(name).parts:
            raise DataError(f"{url} has a file {name!r}, which would leave its folder: rename it")
        version = str(info.get("ETag") or info.get("mtime") or info.get("created") or "")
        versions[name] = [info["size"], version]
        target = folder / name
        if before.get(name) != versions[name] or not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = target.with_name(f".{target.name}.part")
            fs.get_file(path, str(scratch))
            scratch.replace(target)
        progress(Step("copying", number + 1, len(found), "pieces", name))
    for name in set(before) - set(versions):
        (folder / name).unlink(missing_ok=True)
    scratch = folder / f"{_INDEX}.part"
    scratch.write_text(json.dumps(versions))
    scratch.replace(index)
    return folder if base == root else folder / root.rpartition("/")[2]
