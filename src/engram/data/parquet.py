"""Images in parquet files of the hub layout: a struct {bytes, path}, and a label."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engram.data.dataset import DataError
from engram.data.encoded import from_encoded
from engram.data.images import Encoded, Unreadable
from engram.data.reading import Reading, require

if TYPE_CHECKING:
    import pyarrow as pa

_IMAGE_COLUMNS = ("img", "image")


class Files(NamedTuple):
    """The parquet files of each split; `test` is empty if no file is named for it."""

    train: tuple[Path, ...]
    test: tuple[Path, ...]


def find_files(path: Path) -> Files:
    """The files `train*.parquet` and `test*.parquet` or `val*.parquet`, or one file alone.

    Args:
        path: One parquet file, or a folder that holds them at any depth.

    Raises:
        DataError: If there are none, or their names do not distinguish the splits.
    """
    if require(path).is_file():
        return Files((path,), ())
    files = sorted(path.rglob("*.parquet"))
    if len(files) == 1:
        return Files(tuple(files), ())
    train = tuple(file for file in files if file.name.startswith("train"))
    test = tuple(file for file in files if file.name.startswith("test"))
    test = test or tuple(file for file in files if file.name.startswith("val"))
    if not train:
        found = ", ".join(file.name for file in files) or "no parquet file"
        raise DataError(f"{path} holds {found}: name the files train-*.parquet and test-*.parquet")
    return Files(train, test)


def read_rows(files: tuple[Path, ...]) -> tuple[list[Encoded], list[int] | list[str]]:
    """The encoded images and the labels of some files, in order.

    Raises:
        DataError: If a file is damaged, or lacks a column or a value.
    """
    encoded: list[Encoded] = []
    labels: list = []
    for file in files:
        contents, file_labels = _columns(file)
        encoded += [Encoded(content, f"{file}, row {i}") for i, content in enumerate(contents)]
        labels += file_labels
    if not encoded:
        raise DataError(f"{', '.join(map(str, files))} hold no rows: provide files with images")
    return encoded, labels


def read_parquet(
    path: Path, size: tuple[int, int] | None, unreadable: Unreadable = "fail"
) -> Reading:
    """Read images and labels; the encoded images are held in memory.

    Args:
        path: One parquet file, or a folder with `train-*.parquet` and `test-*.parquet`. The column
            `img` or `image` is a struct {bytes, path}; `label` is integers or text.
        size: (height, width) to which images are scaled and cropped, or None if all have one size.
        unreadable: Whether an image that cannot be decoded is an error, or left out with a note.

    Returns:
        Images in file order, decoded on demand. Without a test file, a fifth of each class becomes
        the test split.

    Raises:
        DataError: If files, columns or values are missing or damaged, or the images cannot be
            combined.
    """
    files = find_files(path)
    encoded, values = read_rows(files.train)
    count = len(encoded)
    if files.test:
        test_encoded, test_values = read_rows(files.test)
        encoded += test_encoded
        values = [*values, *test_values]
    labels, classes = _encode_labels(values, path)
    both = files.train + files.test
    return from_encoded(encoded, labels, count, both, classes, size, unreadable)


def _columns(file: Path) -> tuple[list[bytes], list]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            column = _image_column(file, opened.schema_arrow)
            table = opened.read([column, "label"]).flatten()
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{file} is not a readable parquet file ({error}): replace it with a complete copy"
        ) from error
    contents, labels = table[f"{column}.bytes"], table["label"]
    if contents.null_count or labels.null_count:
        raise DataError(f"{file} has rows without image bytes or label: fill or remove them")
    return contents.to_pylist(), labels.to_pylist()


def _image_column(file: Path, schema: "pa.Schema") -> str:
    import pyarrow as pa

    column = next((name for name in _IMAGE_COLUMNS if name in schema.names), None)
    if column is None or "label" not in schema.names:
        raise DataError(
            f"{file} has the columns {', '.join(schema.names)}: it needs `img` or `image`, and "
            "`label`"
        )
    kind = schema.field(column).type
    if not pa.types.is_struct(kind) or "bytes" not in (field.name for field in kind.fields):
        raise DataError(f"{file} has {column} of type {kind}: it must be a struct {{bytes, path}}")
    return column


def _encode_labels(values: list, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    if all(isinstance(value, int) for value in values):
        labels = np.array(values, dtype=np.int64)
        if labels.min() < 0:
            raise DataError(
                f"{path} has the label {labels.min()}: labels count from 0; remove unlabelled rows"
            )
        return labels, tuple(str(label) for label in range(labels.max() + 1))
    if all(isinstance(value, str) for value in values):
        names, labels = np.unique(values, return_inverse=True)
        return labels.astype(np.int64), tuple(map(str, names))
    raise DataError(f"{path} has labels that are neither all integers nor all text: convert them")
