import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engram.vision import (
    CheckpointError,
    Spikingformer,
    load_checkpoint,
    save_checkpoint,
    spikingformer_cifar_2_384,
)
from tests.vision import published


def small(**settings: Any) -> Any:
    torch.manual_seed(0)
    return Spikingformer(1, 16, 2, num_classes=10, **settings)


@pytest.fixture
def theirs() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return published.spikingformer(1, 16, 2).state_dict()


@pytest.mark.parametrize("top", ["state_dict", "model", None])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_reads_what_training_scripts_write(
    theirs: dict[str, torch.Tensor], top: str | None, prefix: str, tmp_path: Path
) -> None:
    state = {prefix + key: value for key, value in theirs.items()}
    beside = {"epoch": 299, "args": argparse.Namespace(lr=5e-4), "optimizer": {"state": {}}}
    torch.save(state if top is None else {top: state} | beside, tmp_path / "best.pth.tar")
    model = small()
    loaded = load_checkpoint(model, tmp_path / "best.pth.tar")
    assert loaded.dropped == tuple(
        f"block.0.norm{norm}.{part}" for norm in (1, 2) for part in ("weight", "bias")
    )
    q = model.blocks[0].attention.q.conv.weight
    assert torch.equal(q, theirs["block.0.attn.q_conv.weight"].unsqueeze(-1))


def test_the_published_code_reads_what_is_saved_for_it(
    theirs: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    model = small()
    load_checkpoint(model, theirs)
    save_checkpoint(model, tmp_path / "w.safetensors", published=True)
    published.spikingformer(1, 16, 2).load_state_dict(load_file(tmp_path / "w.safetensors"))
    saved = load_file(tmp_path / "w.safetensors")
    for key, value in theirs.items():
        assert torch.equal(saved[key], value)
    assert saved.keys() == theirs.keys()


def test_the_tokenizer_of_cifar_has_names_of_its_own() -> None:
    state = published.spikingformer(1, 16, 2, names=published.COUNTED).state_dict()
    model = small(pools=(3, 4))
    assert load_checkpoint(model, state).naming == "cifar"
    assert load_checkpoint(small(), state).naming == "cifar"


def test_older_files_count_no_batches(theirs: dict[str, torch.Tensor]) -> None:
    state = {key: value for key, value in theirs.items() if "num_batches" not in key}
    load_checkpoint(small(), state)


def test_another_architecture_is_named() -> None:
    with torch.device("meta"):
        state = spikingformer_cifar_2_384().state_dict()
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(small(), state)
    message = str(error.value)
    assert "not of this Spikingformer" in message
    assert "stem.0.conv.weight of shape (48, 3, 3, 3), not (2, 3, 3, 3)" in message
    assert "unexpected blocks.1.attention" in message
    assert "nearest preset is spikingformer_cifar_2_384, which has 100%" in message


def test_a_missing_weight_is_named(theirs: dict[str, torch.Tensor]) -> None:
    del theirs["block.0.mlp.mlp2_conv.bias"]
    with pytest.raises(CheckpointError, match=r"no block\.0\.mlp\.mlp2_conv\.bias"):
        load_checkpoint(small(), theirs)


def test_a_failed_load_changes_nothing(theirs: dict[str, torch.Tensor]) -> None:
    model = small()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    theirs["surplus"] = torch.zeros(1)
    with pytest.raises(CheckpointError, match="unexpected surplus"):
        load_checkpoint(model, theirs)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_another_number_of_classes_says_what_to_do(theirs: dict[str, torch.Tensor]) -> None:
    torch.manual_seed(0)
    model = Spikingformer(1, 16, 2, num_classes=3)
    with pytest.raises(CheckpointError, match=r"num_classes=10, load, and call reset_classifier"):
        load_checkpoint(model, theirs)


class Payload:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit",)


def test_executes_nothing(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(1)}, "x": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match="without executing"):
        load_checkpoint(small(), tmp_path / "evil.pth")


@pytest.mark.parametrize("name", ["empty.pth", "empty.safetensors"])
def test_refuses_what_is_no_checkpoint(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no file"):
        load_checkpoint(small(), tmp_path / name)
    (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="holds no weights"):
        load_checkpoint(small(), tmp_path / name)
    with pytest.raises(CheckpointError, match="no tensors by name"):
        load_checkpoint(small(), {"epoch": 3})  # pyright: ignore[reportArgumentType]
