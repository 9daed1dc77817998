"""Datasets by name: find, read, verify and describe them."""

from engram.data.aedat import Recording, read_aedat
from engram.data.catalogue import CATALOGUE, Entry, RemoteFile
from engram.data.dataset import DataError, Dataset, Split, split_off
from engram.data.frames import event_frames
from engram.data.loading import fetch, load, path
from engram.data.reading import sha256_of
from engram.data.source import SOURCES, Source

__all__ = [
    "CATALOGUE",
    "SOURCES",
    "DataError",
    "Dataset",
    "Entry",
    "Recording",
    "RemoteFile",
    "Source",
    "Split",
    "event_frames",
    "fetch",
    "load",
    "path",
    "read_aedat",
    "sha256_of",
    "split_off",
]
