"""Datasets by name: found, read, verified and described."""

from engram.data.catalogue import CATALOGUE, Entry, RemoteFile
from engram.data.dataset import DataError, Dataset, Split, split_off
from engram.data.download import progress_bar
from engram.data.loading import fetch, load, path

__all__ = [
    "CATALOGUE",
    "DataError",
    "Dataset",
    "Entry",
    "RemoteFile",
    "Split",
    "fetch",
    "load",
    "path",
    "progress_bar",
    "split_off",
]
