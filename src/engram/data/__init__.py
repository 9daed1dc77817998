"""Datasets by name: found, read, verified and described."""

from engram.data.catalogue import CATALOGUE, Entry, RemoteFile
from engram.data.dataset import DataError, Dataset, Split, split_off
from engram.data.download import progress_bar
from engram.data.loading import fetch, load, path
from engram.data.reading import sha256_of
from engram.data.source import SOURCES, Source

__all__ = [
    "CATALOGUE",
    "SOURCES",
    "DataError",
    "Dataset",
    "Entry",
    "RemoteFile",
    "Source",
    "Split",
    "fetch",
    "load",
    "path",
    "progress_bar",
    "sha256_of",
    "split_off",
]
