"""Datasets by name: find, read, verify and describe them."""

from engram.data.aedat import Recording, read_aedat
from engram.data.catalogue import CATALOGUE, Entry, RemoteFile
from engram.data.dataset import DataError, Dataset, Split, split_off
from engram.data.frames import event_frames
from engram.data.loading import fetch, load, path
from engram.data.reading import sha256_of

__all__ = [
    "CATALOGUE",
    "DataError",
    "Dataset",
    "Entry",
    "Recording",
    "RemoteFile",
    "Split",
    "event_frames",
    "fetch",
    "load",
    "path",
    "read_aedat",
    "sha256_of",
    "split_off",
]
