"""Scores and embeddings in files of NumPy."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError


def read_matrix(path: Path) -> NDArray[np.floating]:
    """Read a matrix of real numbers from an npy file; nothing in it is executed.

    Args:
        path: The file.

    Returns:
        The matrix, in float32 or float64.

    Raises:
        ValueError: If the file is not such a matrix.
    """
    try:
        matrix = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise EngramError(f"{path} is not an npy file of numbers: {error}") from error
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or not matrix.size:
        raise EngramError(f"{path} has shape {np.shape(matrix)}; give an npy file of one matrix")
    if not np.issubdtype(matrix.dtype, np.number) or np.iscomplexobj(matrix):
        raise EngramError(f"{path} has type {matrix.dtype}; give real numbers")
    return matrix if matrix.dtype in (np.float32, np.float64) else matrix.astype(np.float32)


def cosines(images: Path, captions: Path) -> NDArray[np.floating]:
    """Cosine similarity of embeddings in two files.

    Args:
        images: File of the embeddings of the images, (images, dimensions).
        captions: File of the embeddings of the captions, (captions, dimensions).

    Returns:
        The similarities, (images, captions).

    Raises:
        ValueError: If a file cannot be used, the dimensions differ, or an embedding has no
            direction.
    """
    left, right = (_directions(path) for path in (images, captions))
    if left.shape[1] != right.shape[1]:
        raise EngramError(
            f"embeddings in {images} have {left.shape[1]} dimensions and those in {captions} have "
            f"{right.shape[1]}; give embeddings of one model"
        )
    return left @ right.T


def _directions(path: Path) -> NDArray[np.floating]:
    matrix = read_matrix(path)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    wrong = np.flatnonzero(~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)))
    if wrong.size:
        raise EngramError(
            f"{wrong.size} of {len(matrix)} rows in {path} are zero or not finite, the first is "
            f"row {wrong[0]}; compute them again"
        )
    return matrix / lengths
