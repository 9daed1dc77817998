"""Captions in the layouts that people have."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engram.errors import EngramError
from engram.retrieval.captions import read_captions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tokens.txt", "a.jpg#0\tA dog, running .\na.jpg#1\tA brown dog\nb.jpg#0\tA boat\n"),
        (
            "captions.csv",
            'image,caption\na.jpg,"A dog, running ."\na.jpg,A brown dog\n\nb.jpg,A boat',
        ),
    ],
)
def test_lines(name: str, text: str, folder: Path) -> None:
    (folder / name).write_text(text)
    found = {one.name: (one.content, one.captions) for one in read_captions(folder / name)}
    assert found == {
        "a.jpg": (folder / "a.jpg", ["A dog, running .", "A brown dog"]),
        "b.jpg": (folder / "b.jpg", ["A boat"]),
    }


def test_splits_of_karpathy_and_parquet(folder: Path) -> None:
    images = [
        {"filename": "a.jpg", "split": "train", "sentences": [{"raw": "A dog"}, {"raw": " "}]},
        {"filename": "c.jpg", "split": "test", "sentences": [{"raw": "A cat"}]},
    ]
    path = folder / "dataset.json"
    path.write_text(json.dumps({"images": images}))
    assert [one.captions for one in read_captions(path)] == [["A dog"]]
    rows = {"image": [{"bytes": b"1"}, {"bytes": b"2"}], "captions": [["A dog", "Dogs"], []]}
    pq.write_table(pa.table(rows), folder / "x.parquet")
    assert [(one.content, one.captions) for one in read_captions(folder / "x.parquet")] == [
        (b"1", ["A dog", "Dogs"])
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.txt", None, "is not a file"),
        ("empty.txt", b"", "has no captions"),
        ("one.txt", b"a.jpg\tA dog\nb.jpg", "line 2: there is no tab or comma"),
        ("away.txt", b"a.jpg\tA dog\nz.jpg\tA cat", r"1 of 2 pictures .* such as z.jpg"),
        ("latin.txt", b"a.jpg\tcaf\xe9", "is not a text in UTF-8"),
        ("x.json", b"[]", "is not of the form of Karpathy"),
        ("x.parquet", b"no", "is not a parquet file"),
    ],
)
def test_what_cannot_be_read_is_named(name, content, message, folder: Path) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(EngramError, match=message):
        read_captions(folder / name)
