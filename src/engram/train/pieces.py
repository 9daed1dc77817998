"""Tensors that are divided among processes, in files: each process writes and reads its share.

The files are those of torch.distributed.checkpoint. Any number of processes can read them, whatever
number wrote them.
"""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, final

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Shard, zeros

from engram.errors import EngramError

PIECE = "in pieces"
"""Key of what stands in a state in place of a tensor that is in other files."""
KNOWN = {
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    ("torch.serialization", "_get_layout"),
    ("torch", "Size"),
    ("collections", "OrderedDict"),
}
"""What the description of the files may name, beside its own classes and the number formats."""


def split(state: Any, name: str = "", pieces: dict[str, Tensor] | None = None) -> tuple[Any, Any]:
    """Take the tensors that are divided among processes out of a state.

    Args:
        state: Dicts, lists and tuples of tensors, numbers and text.
        name: Name of the state, with which the names of its pieces begin.
        pieces: Where the pieces are collected.

    Returns:
        The state without these tensors, and the tensors by name.
    """
    found = {} if pieces is None else pieces
    if isinstance(state, DTensor):
        found[name] = state
        return {PIECE: name}, found
    if isinstance(state, Mapping):
        return {k: split(v, _inside(name, k), found)[0] for k, v in state.items()}, found
    if type(state) in (list, tuple):
        parts = (split(v, _inside(name, i), found)[0] for i, v in enumerate(state))
        return type(state)(parts), found
    return state, found


def _inside(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def joined(state: Any, pieces: Mapping[str, Tensor]) -> Any:
    """Put tensors back from where `split` took them."""
    if isinstance(state, Mapping):
        if state.keys() == {PIECE}:
            return pieces[state[PIECE]]
        return {key: joined(value, pieces) for key, value in state.items()}
    if type(state) in (list, tuple):
        return type(state)(joined(value, pieces) for value in state)
    return state


def write_pieces(folder: Path, pieces: dict[str, Tensor]) -> None:
    """Write the tensors; all processes must call this, and each writes its share.

    Args:
        folder: A folder that all processes see, which is made.
        pieces: The tensors by name.

    Raises:
        OSError: In every process, if one of them could not write.
    """
    try:
        save(pieces, storage_writer=FileSystemWriter(folder, sync_files=True))
    except CheckpointException as error:
        raise OSError("; ".join(_reasons(error))) from error


def files_of(folder: Path, rank: int) -> list[Path]:
    """The files that a process has written; the first one also describes them all."""
    own = sorted(folder.glob(f"__{rank}_*"))
    return own if rank else [folder / ".metadata", *own]


def read_pieces(folder: Path, mesh: DeviceMesh | None = None) -> dict[str, Tensor]:
    """Read the tensors: whole ones, or this process's share of them.

    Args:
        folder: The folder.
        mesh: The processes among which the first axis of each tensor is divided; None reads whole
            tensors.

    Raises:
        ValueError: If the files cannot be read.
    """
    reader = _Reader(folder)
    try:
        known = reader.read_metadata().state_dict_metadata
        state = {name: _room(name, described, mesh) for name, described in known.items()}
        with warnings.catch_warnings():  # it says that it does not ask other processes
            warnings.simplefilter("ignore", UserWarning)
            load(dict(state), storage_reader=reader, planner=_TensorPlanner(), no_dist=True)
    except CheckpointException as error:
        reasons = "; ".join(_reasons(error))
        raise EngramError(f"{folder} cannot be read: {reasons}") from error
    except (OSError, pickle.UnpicklingError) as error:
        raise EngramError(
            f"{folder} cannot be read ({error}): all processes need to see the same folder"
        ) from error
    return state


def _room(name: str, described: Any, mesh: DeviceMesh | None) -> Tensor:
    """An empty tensor, of which each process has its share."""
    if not isinstance(described, TensorStorageMetadata):
        raise pickle.UnpicklingError(f"{name} is not a tensor")
    size, dtype = described.size, described.properties.dtype
    if mesh is None:
        return torch.empty(size, dtype=dtype)
    return zeros(size, dtype=dtype, device_mesh=mesh, placements=[Shard(0)])


def _reasons(error: CheckpointException) -> list[str]:
    return sorted({f"{reason[0]}" for reason in error.failures.values()})


@final
class _Reader(FileSystemReader):
    """Reads files whose description holds numbers and names only, and no code."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """The description of the files."""
        with (Path(self.path) / ".metadata").open("rb") as file:
            return _Plain(file).load()


@final
class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if module.startswith("pathlib") and name in ("PosixPath", "WindowsPath"):
            return PurePath
        if (module, name) in KNOWN or (module == Metadata.__module__ and "." not in name):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(
            f"it names {module}.{name}, which a description of files cannot contain"
        )


@final
class _TensorPlanner(DefaultLoadPlanner):
    """Loads tensors only: other objects would be code."""

    def load_bytes(self, read_item: Any, value: Any) -> None:
        raise pickle.UnpicklingError(f"{read_item.dest_index.fqn} is not a tensor")
