"""Checkpoints whose names and shapes fit and whose values do not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from torch import Tensor, nn

from engram.vision import CheckpointError, load_checkpoint, sew_resnet18

State = dict[str, Tensor]


def small() -> nn.Module:
    return sew_resnet18(num_classes=3, steps=2, width=8, small_images=True)


def changed(change: Callable[[Tensor], Tensor], part: str = "") -> Callable[[State], State]:
    return lambda state: {
        key: change(value) if part in key and value.is_floating_point() else value
        for key, value in state.items()
    }


WRONG: dict[str, tuple[Callable[[State], State], str]] = {
    "nan": (changed(lambda v: v * torch.nan), "NaN or infinite"),
    "infinite": (changed(lambda v: v + torch.inf, "head"), "NaN or infinite"),
    "int8": (changed(lambda v: v.to(torch.int8)), "int8, whose scale is not known"),
    "bool": (changed(lambda v: v > 0, "head"), "bool, whose scale is not known"),
    "negative variance": (changed(lambda v: -v - 1, "running_var"), "negative variance"),
    "complex": (changed(lambda v: v.to(torch.cfloat)), "without plain real values"),
    "sparse": (changed(lambda v: v.to_sparse()), "without plain real values"),
    "meta": (changed(lambda v: v.to("meta")), "without plain real values"),
}


@pytest.mark.parametrize("name", WRONG)
def test_values_that_no_training_leaves_behind_are_refused(name: str):
    change, message = WRONG[name]
    model = small()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(model, change(before))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("source", [None, 3, [1], torch.ones(2), small()])
def test_what_is_no_source_is_refused(source: Any):
    with pytest.raises(CheckpointError, match=type(source).__name__):
        load_checkpoint(small(), source)


def test_another_architecture_is_told_from_the_presets():
    wide = sew_resnet18(num_classes=3, steps=2, width=16, small_images=True)
    with pytest.raises(CheckpointError, match="preset"):
        load_checkpoint(small(), wide.state_dict())


def test_a_file_whose_bytes_changed_is_refused(tmp_path: Path):
    path = tmp_path / "model.pth"
    torch.save(small().state_dict(), path)
    load_checkpoint(small(), path)
    with ZipFile(path) as archive:
        entry = max(archive.infolist(), key=lambda one: one.file_size)
        content = archive.read(entry)
    whole = path.read_bytes()
    place = whole.index(content) + len(content) // 2
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(CheckpointError, match="checksum"):
        load_checkpoint(small(), path)


def test_a_file_without_checksums_is_read(tmp_path: Path):
    with_checksums = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(compute_crc32=False)
    try:
        torch.save(small().state_dict(), tmp_path / "model.pth")
    finally:
        torch.serialization.set_crc32_options(with_checksums)
    load_checkpoint(small(), tmp_path / "model.pth")
