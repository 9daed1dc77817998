import io
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engram.data import DataError, load
from engram.train import Engine, ImageFeed, Normal, Processes, schedule


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 6), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def shards(folder: Path, counts: list[int], name: str = "train", start: int = 0) -> int:
    """Shards of images whose grey value is their number; labels are its remainder by 3."""
    folder.mkdir(exist_ok=True)
    for shard, count in enumerate(counts):
        with tarfile.open(folder / f"{name}-{shard:03}.tar", "w") as archive:
            for number in range(start, start + count):
                add(archive, f"{number:05}.png", png(number))
                add(archive, f"{number:05}.cls", str(number % 3).encode())
        start += count
    return start


def test_samples_are_read_in_order_with_their_labels(tmp_path):
    total = shards(tmp_path, [5, 7, 4])
    shards(tmp_path, [3], "test", total)
    dataset = load(f"webdataset:{tmp_path}")
    assert [int(image[0, 0]) for image in dataset.train.inputs] == list(range(16))
    assert dataset.train.labels.tolist() == [number % 3 for number in range(16)]
    assert [int(image[0, 0]) for image in dataset.test.inputs] == [16, 17, 18]
    assert dataset.classes == ("0", "1", "2")


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker")  # on few cores
def test_two_processes_with_four_workers_see_each_sample_of_three_shards_once(tmp_path):
    total = shards(tmp_path, [9, 11, 10])
    shards(tmp_path, [3], "test", total)
    split = load(f"webdataset:{tmp_path}").train
    feed = ImageFeed(split, Normal(torch.zeros(1), torch.ones(1)))
    assert len(feed) == 30
    seen: Counter[int] = Counter()

    class Alike(Processes):  # pyright: ignore[reportGeneralTypeIssues]
        """A process of two, whose exchanges are left out."""

        spread = staticmethod(lambda model: model)  # pyright: ignore[reportAssignmentType]
        waiting = Processes().waiting  # pyright: ignore[reportAssignmentType]

    class Keep(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(24, 3)

        def forward(self, x):
            seen.update(x[:, 0, 0, 0].int().tolist())
            return self.layer(x.flatten(1) / 255)

    for rank in range(2):
        model = Keep()
        sgd = torch.optim.SGD(model.parameters(), lr=0.01)
        one = Engine(
            model, feed, sgd, schedule("constant", 9), batch=8, seed=0, workers=4,
            together=Alike(rank, 2),
        )  # fmt: skip
        for _ in one.steps():
            pass
    assert seen == Counter(range(30))


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("7.png", png(1), "the sample 7 lacks its label: add 7.cls"),
        ("7.cls", b"1", "the sample 7 lacks its image"),
        ("00001.cls", b"1", "two members 00001.cls"),
        ("7.cls", b"one", "7.cls holds 'one'"),
    ],
)
def test_what_is_no_sample_is_named(tmp_path, name, content, named):
    shards(tmp_path, [3])
    with tarfile.open(tmp_path / "train-000.tar", "a") as archive:
        add(archive, name, content)
    with pytest.raises(DataError, match=named):
        load(f"webdataset:{tmp_path}")


def test_a_damaged_or_compressed_shard_is_named(tmp_path):
    shards(tmp_path, [3])
    shard = tmp_path / "train-000.tar"
    content = shard.read_bytes()
    shard.write_bytes(content[:700])
    with pytest.raises(DataError, match=r"train-000.tar"):
        load(f"webdataset:{tmp_path}")
    with tarfile.open(shard, "w:gz") as archive:
        add(archive, "0.png", png(0))
    with pytest.raises(DataError, match=r"uncompressed tar archive"):
        load(f"webdataset:{tmp_path}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no \*.tar"):
        load(f"webdataset:{tmp_path / 'empty'}")


@pytest.mark.parametrize("scheme", ["webdataset", "imagefolder"])
def test_an_image_that_cannot_be_read_is_left_out_and_named_or_an_error(tmp_path, scheme):
    if scheme == "webdataset":
        shards(tmp_path, [15])
        with tarfile.open(tmp_path / "train-000.tar", "a") as archive:
            add(archive, "broken.png", png(9)[:-30])
            add(archive, "broken.cls", b"1")
    else:
        for label in ("a", "b"):
            (tmp_path / label).mkdir()
            for number in range(5):
                (tmp_path / label / f"{number}.png").write_bytes(png(number))
        (tmp_path / "b" / "broken.png").write_bytes(png(9)[:-30])
    good = 15 if scheme == "webdataset" else 10
    dataset = load(f"{scheme}:{tmp_path}", unreadable="skip")
    assert len(dataset.train) + len(dataset.test) == good
    assert f"1 of {good + 1} images cannot be read and were left out" in dataset.notes[0]
    assert "broken.png" in dataset.notes[0]
    strict = load(f"{scheme}:{tmp_path}")
    with pytest.raises(DataError, match=r"broken.png is not a readable image"):
        [list(part.inputs) for part in (strict.train, strict.test)]  # pyright: ignore[reportUnusedExpression]


def test_only_images_of_ones_own_can_be_skipped():
    with pytest.raises(DataError, match="unreadable='skip' is for imagefolder:"):
        load("digits", unreadable="skip")
