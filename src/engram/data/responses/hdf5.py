"""Arrays of HDF5 files: plain ones, MATLAB 7.3, and netCDF-4 as BrainIO writes it."""

from pathlib import Path
from typing import Any

import numpy as np

from engram.data.recording.hdf5 import LARGEST, fetch, find, opened
from engram.data.responses.arrays import Arrays, interpreted
from engram.data.responses.model import Rdms, ResponseOptions, Responses
from engram.data.responses.nwb import read_nwb

BARE = "This is a netCDF dimension but not a netCDF variable"


def read_hdf5(path: Path, options: ResponseOptions) -> Responses | Rdms:
    """Read an HDF5 file.

    Args:
        path: The file.
        options: What it does not say itself.

    Raises:
        EngramError: It cannot be opened, or as `interpreted` and `read_nwb`.
    """
    with opened(path) as file:
        if "nwb_version" in file.attrs:
            return read_nwb(file, options)
        return interpreted(arrays_of(file, options), options)


def arrays_of(file: Any, options: ResponseOptions) -> Arrays:
    """The datasets of a file, with the names of their dimensions.

    Args:
        file: The open file.
        options: Its keys are read whatever their size.
    """
    import h5py  # noqa: PLC0415 - an extra

    held: dict[str, np.ndarray] = {}
    dims: dict[str, list[str]] = {}
    notes = []
    for name in _names(file, options):
        dataset = find(file, name)
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            continue
        if str(_text(dataset.attrs.get("NAME", ""))).startswith(BARE):
            continue
        size = dataset.size * dataset.dtype.itemsize
        if size > LARGEST and name not in options.keys:
            notes.append(f"{name} has {size:.3g} bytes and was not read")
            continue
        if dataset.shape:
            held[name] = _values(file, name, dataset)
            dims[name] = _dimensions(dataset)
    named = {name: found for name, found in dims.items() if all(found) and found}
    return Arrays(held, named, tuple(notes))


def _names(file: Any, options: ResponseOptions) -> list[str]:
    """The datasets of the file and of its groups, and those that the options name."""
    import h5py  # noqa: PLC0415 - an extra

    found = []
    for name in file:
        if name.startswith("#"):  # where MATLAB keeps the contents of cells
            continue
        hard = file.get(name, getclass=True, getlink=True) is h5py.HardLink
        if hard and isinstance(file[name], h5py.Group):
            found += [f"{name}/{inner}" for inner in file[name]]
        elif hard:
            found.append(name)
    return list(dict.fromkeys([*options.keys, *found]))


def _values(file: Any, name: str, dataset: Any) -> np.ndarray:
    kind = str(_text(dataset.attrs.get("MATLAB_class", "")))
    if kind == "cell":
        return np.array([_characters(file[one][()]) for one in dataset[()].T.ravel()])
    values = fetch(file, name)
    if kind == "char":
        return np.array([_characters(column) for column in values.T])
    if values.dtype.kind in "OS":
        texts = [_text(one) for one in values.ravel()]
        return np.array([str(one) for one in texts]).reshape(values.shape)
    if kind:
        return values.T  # MATLAB stores the first axis last
    return _scaled(values, dataset.attrs)


def _characters(codes: np.ndarray) -> str:
    if codes.dtype.kind not in "ui":
        return str(codes)
    return "".join(map(chr, codes.T.ravel())).rstrip("\0 ")


def _scaled(values: np.ndarray, attrs: Any) -> np.ndarray:
    """The values that netCDF's conventions of packing and filling stand for."""
    if values.dtype.kind not in "iuf":
        return values
    fill = attrs.get("_FillValue")
    scale, offset = attrs.get("scale_factor"), attrs.get("add_offset")
    if fill is None and scale is None and offset is None:
        return values
    gaps = None if fill is None else values == np.ravel(fill)[0]
    if scale is not None or offset is not None:
        values = values * float(np.ravel(1.0 if scale is None else scale)[0])
        values = values + float(np.ravel(0.0 if offset is None else offset)[0])
    if gaps is not None and gaps.any():
        values = np.where(gaps, np.nan, values.astype(np.float64))
    return values


def _dimensions(dataset: Any) -> list[str]:
    """The names of the dimension scales that are attached to a dataset."""
    return [axis[0].name.rpartition("/")[2] if len(axis) else "" for axis in dataset.dims]


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
