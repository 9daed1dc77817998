"""A NIR graph from a file: what the file may hold is checked before any of it is built."""

from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
from h5py import h5o  # pyright: ignore[reportAttributeAccessIssue]

from engram.errors import EngramError

MAX_BYTES = 1 << 31
"""The most that the arrays of a file may take in memory; more is an attack or a mistake."""
SIGNATURE = b"\x89HDF\r\n\x1a\n"
NODE_TYPES = {
    name: getattr(nir, name)
    for name in nir.ir.__all__
    if isinstance(getattr(nir, name), type)
    and issubclass(getattr(nir, name), nir.NIRNode)
    and name != "NIRNode"
}
Tree = dict[str, Any]


UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)
"""What HDF5 raises from within a damaged file."""


class UnsoundError(EngramError):
    """The file can be read, and holds what a NIR file must not."""


class MissingFileError(EngramError, FileNotFoundError):
    """There is no file of that name."""


def read_graph(path: Path) -> tuple[nir.NIRGraph, str]:
    """The graph in a file, and the version of nir that wrote it.

    Raises:
        ValueError: There is no such file, it is not a sound NIR file, or it would need too much
            memory; the error names the file, the fault and the remedy.
    """
    _check_file(path)
    tree, version = _tree(path)
    try:
        node = _build("the graph", tree)
    except ValueError as error:
        raise EngramError(f"{path}: {error}{_written_by(version)}") from error
    if not isinstance(node, nir.NIRGraph):
        raise EngramError(
            f"{path}: holds a single {type(node).__name__}: write a graph, such as "
            "nir.NIRGraph.from_list(node)"
        )
    return node, version


def _check_file(path: Path) -> None:
    if not path.exists():
        raise MissingFileError(f"{path}: there is no such file: check the path")
    if not path.is_file():
        raise EngramError(f"{path}: a folder or device: give the path of a .nir file")
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise EngramError(f"{path}: an empty file: download or write it again")
    if start.startswith(b"version https://git-lfs"):
        raise EngramError(f"{path}: a Git LFS pointer in place of the file: run git lfs pull")
    if not (start.startswith(SIGNATURE) or h5py.is_hdf5(path)):
        raise EngramError(
            f"{path}: not an HDF5 file (it starts with {start[:16]!r}): a NIR graph is written "
            "with nir.write"
        )


def _tree(path: Path) -> tuple[Tree, str]:
    """The groups and data sets of the file, and the version of nir that wrote it."""
    try:
        with h5py.File(path, "r") as file:
            version = _version(file)
            root = file.get("node")
            if not isinstance(root, h5py.Group):
                held = ", ".join(file) or "nothing"
                raise UnsoundError(
                    f"an HDF5 file without the group 'node' of a NIR graph (it holds {held}): "
                    "write one with nir.write"
                )
            return _Reader().group(root, "node"), version
    except UnsoundError as error:
        raise EngramError(f"{path}: {error}") from error
    except UNREADABLE as error:
        raise EngramError(
            f"{path}: damaged or cut short ({error}): download or write it again"
        ) from error


def _version(file: h5py.File) -> str:
    stored = file.get("version")
    value = stored[()] if isinstance(stored, h5py.Dataset) and stored.shape == () else "unknown"
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _written_by(version: str) -> str:
    """Who wrote the file, to add to an error, with a remedy where that is a newer nir."""
    installed = getattr(nir, "version", "0")
    try:
        is_newer = [*map(int, version.split("."))] > [*map(int, installed.split("."))]
    except ValueError:
        return f" (written by nir {version})"
    return (
        f" (written by nir {version}, newer than the installed {installed}: pip install -U nir)"
        if is_newer
        else f" (written by nir {version})"
    )


class _Reader:
    """Reads groups into dictionaries, within the file and within the memory allowed."""

    def __init__(self) -> None:
        self.seen: set[tuple[int, int]] = set()
        self.bytes = 0

    def group(self, group: h5py.Group, path: str) -> Tree:
        info = h5o.get_info(group.id)
        if (info.fileno, info.addr) in self.seen:
            raise UnsoundError(
                f"the group {path!r} occurs twice, so the graph has no end: write it anew"
            )
        self.seen.add((info.fileno, info.addr))
        if len(path) > 4096:
            raise UnsoundError(f"groups nested too deeply at {path[:80]!r}…: write it anew")
        tree: Tree = {}
        for key in map(str, group):
            where = f"{path}/{key}"
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise UnsoundError(
                    f"{where!r} is a link ({type(link).__name__}), possibly to another file: a NIR "
                    "file holds its own data"
                )
            item = group[key]
            tree[key] = (
                self.group(item, where) if isinstance(item, h5py.Group) else self.value(item, where)
            )
        return tree

    def value(self, item: Any, where: str) -> Any:
        if not isinstance(item, h5py.Dataset):
            raise UnsoundError(f"{where!r} is a {type(item).__name__}: a NIR file holds data sets")
        if item.shape is None:
            return None
        if item.external or item.is_virtual:
            raise UnsoundError(f"{where!r} lies in another file: a NIR file holds its own data")
        text = h5py.check_string_dtype(item.dtype) is not None
        if item.dtype.kind not in "biuf" and not text:
            raise UnsoundError(f"{where!r} has the type {item.dtype}: neither numbers nor text")
        self.bytes += int(np.prod(item.shape, dtype=object)) * item.dtype.itemsize
        if self.bytes > MAX_BYTES:
            raise UnsoundError(
                f"{where!r} has the shape {item.shape}: the arrays so far take {self.bytes:,} "
                f"bytes, above the limit of {MAX_BYTES:,}; for a network of this size, pass the "
                "graph that nir.read returns"
            )
        value = item[()]
        return value.decode() if isinstance(value, bytes) else value


def _build(name: str, tree: Any) -> nir.NIRNode:
    """The node that a group describes.

    Raises:
        ValueError: It is not a sound node.
    """
    if not isinstance(tree, dict) or not isinstance(tree.get("type"), str):
        raise EngramError(f"{name} has no type: it is not a NIR node")
    kind = tree["type"]
    if kind not in NODE_TYPES:
        raise EngramError(
            f"{name} has the type {kind!r}, which nir {getattr(nir, 'version', '')} does not know: "
            f"its types are {', '.join(sorted(NODE_TYPES))}"
        )
    fields = {key: value for key, value in tree.items() if key != "type"}
    if kind == "NIRGraph":
        return _build_graph(name, fields)
    if kind in ("Conv1d", "Conv2d"):
        fields.setdefault("input_shape", None)
    try:
        return NODE_TYPES[kind].from_dict({**fields, "type": kind})
    except KeyError as error:
        raise EngramError(f"{kind} at {name}: its field {error} is missing") from error
    except (TypeError, ValueError, AttributeError, AssertionError, IndexError) as error:
        raise EngramError(f"{kind} at {name}: {error or 'its fields do not fit'}") from error


def _build_graph(name: str, fields: Tree) -> nir.NIRGraph:
    nodes, edges = fields.get("nodes"), fields.get("edges")
    if not isinstance(nodes, dict):
        raise EngramError(f"{name} has no nodes: it is not a NIR graph")
    if not isinstance(edges, np.ndarray) or (edges.size and edges.shape[1:] != (2,)):
        raise EngramError(f"{name} has no list of pairs as its edges: it is not a NIR graph")
    pairs = [(_text(source), _text(target)) for source, target in edges]
    built = {key: _build(repr(key), value) for key, value in nodes.items()}
    metadata = fields.get("metadata", {})
    return nir.NIRGraph(built, pairs, metadata=metadata, type_check=False)


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
