"""Downloads into the user's cache, which are resumed, verified, and renamed when complete."""

import os
from pathlib import Path

import httpx
from filelock import FileLock

from engram.data.catalogue import RemoteFile
from engram.data.dataset import DataError
from engram.data.reading import sha256_of
from engram.progress import Progress, Step, silent

_TIMEOUT_S = 30.0
_RANGE_NOT_SATISFIABLE = 416
_PARTIAL_CONTENT = 206


def download(remote: RemoteFile, folder: Path, progress: Progress = silent) -> Path:
    """Download one file into a folder, resuming an earlier attempt.

    The bytes are collected in `NAME.part`, which is renamed only if its hash is correct. A second
    process that wants the same file waits for the first.

    Args:
        remote: What to download.
        folder: Folder for the file; created if it does not exist.
        progress: Called with the number of bytes received.

    Returns:
        The file's path.

    Raises:
        DataError: If the server cannot be reached, sends different content, or interrupts the
            transfer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / remote.name
    part = folder / f"{remote.name}.part"
    with FileLock(folder / f"{remote.name}.lock"):
        if target.exists():
            return target
        if not _is_whole(part, remote):
            try:
                _receive(remote, part, progress)
            except httpx.HTTPError as error:
                reason = str(error).partition("\n")[0] or type(error).__name__
                raise DataError(f"{remote.url} could not be downloaded: {reason}") from error
        _verify(remote, part)
        part.replace(target)
    return target


def _receive(remote: RemoteFile, part: Path, progress: Progress) -> None:
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT_S) as client:
        refused = _append(client, remote, part, progress)
        if refused:
            # The server has nothing after our last byte, so these bytes are not from its file.
            part.unlink()
            _append(client, remote, part, progress)


def _append(client: httpx.Client, remote: RemoteFile, part: Path, progress: Progress) -> bool:
    """Append the missing bytes to the part; True if the server refuses the requested range."""
    start = part.stat().st_size if part.exists() else 0
    # A compressed transfer would be counted and decompressed as if it were the file.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with client.stream("GET", remote.url, headers=headers) as response:
        if start and response.status_code == _RANGE_NOT_SATISFIABLE:
            return True
        response.raise_for_status()
        if response.status_code != _PARTIAL_CONTENT:
            start = 0
        done = start
        total = remote.size or _announced(response, start)
        with part.open("ab" if start else "wb") as file:
            for block in response.iter_raw():
                file.write(block)
                done += len(block)
                progress(Step(remote.name, done, total, "bytes"))
            file.flush()
            os.fsync(file.fileno())
    return False


def _announced(response: httpx.Response, start: int) -> int | None:
    length = response.headers.get("Content-Length")
    return start + int(length) if length else None


def _is_whole(part: Path, remote: RemoteFile) -> bool:
    """Whether an attempt was stopped between its last byte and the renaming."""
    return part.exists() and part.stat().st_size == remote.size and sha256_of(part) == remote.sha256


def _verify(remote: RemoteFile, part: Path) -> None:
    found = sha256_of(part)
    if found == remote.sha256:
        return
    size = part.stat().st_size
    if remote.size is not None and size < remote.size:
        raise DataError(
            f"{remote.url} stopped at {size:,} of {remote.size:,} bytes: try again to resume"
        )
    part.unlink()
    raise DataError(
        f"{remote.url} has sha256 {found}, not {remote.sha256}: it was damaged on the way or has "
        "been replaced; it was deleted, so try again, or put a copy you trust in a data folder"
    )
