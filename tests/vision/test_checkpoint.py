import argparse
import contextlib
import copy
import os
import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from engram.vision import (
    CheckpointError,
    Spikingformer,
    load_checkpoint,
    save_checkpoint,
    spikingformer_cifar_2_384,
)
from engram.vision.container import read
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
    with pytest.raises(CheckpointError, match="is not a file"):
        load_checkpoint(small(), tmp_path / name)
    (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="holds no weights"):
        load_checkpoint(small(), tmp_path / name)
    with pytest.raises(CheckpointError, match="no tensors by name"):
        load_checkpoint(small(), {"epoch": 3})  # pyright: ignore[reportArgumentType]


def state_of(model: nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in model.state_dict().values()]


def equal(model: nn.Module, other: nn.Module) -> bool:
    pairs = zip(state_of(model), state_of(other), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def trained() -> Spikingformer:
    model = small()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()
    return model


@pytest.fixture
def averaged() -> Spikingformer:
    model = small()
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(0.5)
    return model


def half_compiled(model: Spikingformer) -> nn.Module:
    model.blocks[0] = compiled(model.blocks[0])
    return model


def sharded(model: Spikingformer) -> nn.Module:
    """Wrapped as FSDP and activation checkpointing name it, a block within the whole."""
    block = nn.Module()
    block.add_module("_checkpoint_wrapped_module", model.blocks[0])
    model.blocks[0] = block
    whole = nn.Module()
    whole.add_module("_fsdp_wrapped_module", model)
    return whole


# inductor is not needed for names, and to import it takes seconds
compiled: Any = partial(torch.compile, backend="eager")

WRAPPERS: dict[str, Callable[[Spikingformer], nn.Module]] = {
    "compiled": compiled,
    "parallel": nn.DataParallel,
    "averaged": AveragedModel,
    "averaged, compiled": lambda model: AveragedModel(compiled(model)),
    "compiled, averaged": lambda model: compiled(AveragedModel(model)),
    "parallel, compiled": lambda model: nn.DataParallel(compiled(model)),
    "compiled inside": half_compiled,
    "sharded, checkpointed": sharded,
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS.keys())
@pytest.mark.parametrize("top", ["", "state_dict", "net"])
def test_names_of_wrappers_are_read(
    trained: Spikingformer, wrap: Callable[[Spikingformer], nn.Module], top: str
) -> None:
    state = wrap(copy.deepcopy(trained)).state_dict()
    model = small()
    loaded = load_checkpoint(model, {top: state} if top else state)
    assert equal(model, trained)
    assert set(loaded.dropped) <= {"n_averaged"}
    assert loaded.taken.startswith(top)


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS.keys())
@pytest.mark.parametrize("as_published", [False, True])
def test_wrapped_models_are_saved_under_plain_names_and_loaded_into(
    trained: Spikingformer,
    averaged: Spikingformer,
    wrap: Callable[[Spikingformer], nn.Module],
    as_published: bool,
    tmp_path: Path,
) -> None:
    wrapped, paths = wrap(copy.deepcopy(trained)), [tmp_path / "a.pth", tmp_path / "b.pth"]
    save_checkpoint(wrapped, paths[0], published=as_published)
    save_checkpoint(trained, paths[1], published=as_published)
    assert list(read(paths[0])["state_dict"]) == list(read(paths[1])["state_dict"])
    load_checkpoint(wrapped, averaged.state_dict())
    inner = next(module for module in wrapped.modules() if isinstance(module, Spikingformer))
    pairs = zip(inner.state_dict().values(), averaged.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_model_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Linear contains no model of engram\.vision"):
        save_checkpoint(nn.Linear(2, 2), tmp_path / "w.pth")


@pytest.mark.parametrize("key", ["net", "model_state_dict", "state_dict_ema", "model_ema", "ema"])
def test_the_state_dict_may_lie_anywhere(trained: Spikingformer, key: str) -> None:
    model = small()
    loaded = load_checkpoint(model, {key: trained.state_dict(), "epoch": 3})
    assert equal(model, trained)
    assert loaded == ("engram", (), key)


@pytest.mark.parametrize("prefix", ["model.", "net.", "backbone.", "module.model.", "a.b."])
def test_names_may_share_a_prefix(trained: Spikingformer, prefix: str) -> None:
    state = {prefix + key: value for key, value in trained.state_dict().items()}
    model = small()
    loaded = load_checkpoint(model, state | {"criterion.weight": torch.ones(3)})
    assert equal(model, trained)
    assert loaded.dropped == ("criterion.weight",)
    assert loaded.taken == prefix.removeprefix("module.").removesuffix(".")


def files(raw: dict[str, torch.Tensor], ema: dict[str, torch.Tensor]) -> list[dict[str, object]]:
    lightning = {f"model.{key}": value for key, value in raw.items()}
    lightning |= {f"ema_model.module.{key}": value for key, value in ema.items()}
    return [
        {"state_dict": raw, "state_dict_ema": ema},
        {"model": raw, "model_ema": {f"module.{key}": value for key, value in ema.items()}},
        {"net": raw, "averaged": {"weights": ema}},
        {"state_dict": lightning},
    ]


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("weights", [None, "raw", "ema"])
def test_trained_and_averaged_weights_are_told_apart(
    trained: Spikingformer, averaged: Spikingformer, form: int, weights: Any
) -> None:
    model = small()
    content = files(trained.state_dict(), averaged.state_dict())[form]
    loaded = load_checkpoint(model, content, weights=weights)
    assert equal(model, averaged if weights == "ema" else trained)
    assert len(loaded.dropped) == 1
    assert ("ema" in loaded.dropped[0] or "averaged" in loaded.dropped[0]) == (weights != "ema")
    assert loaded.taken


def test_weights_that_are_not_there_are_missed(trained: Spikingformer) -> None:
    state = trained.state_dict()
    with pytest.raises(CheckpointError, match="no ema weights, only 'state_dict'"):
        load_checkpoint(small(), {"state_dict": state}, weights="ema")
    with pytest.raises(CheckpointError, match="no raw weights, only 'model_ema'"):
        load_checkpoint(small(), {"model_ema": state}, weights="raw")
    with pytest.raises(CheckpointError, match="choose 'raw', 'ema' or None"):
        load_checkpoint(small(), state, weights="best")  # pyright: ignore[reportArgumentType]


def test_several_that_fit_are_named(trained: Spikingformer, averaged: Spikingformer) -> None:
    both = {"teacher": trained.state_dict(), "student": averaged.state_dict()}
    with pytest.raises(CheckpointError, match=r"several state dicts.*'teacher', 'student'"):
        load_checkpoint(small(), both)
    twice = trained.state_dict() | {f"module.{k}": v for k, v in averaged.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"holds both '(\S+)' and 'module\.\1'"):
        load_checkpoint(small(), twice)


def test_what_nothing_read_is_told(trained: Spikingformer) -> None:
    content = {
        "a": {"model": trained.state_dict()},
        "rng": torch.ones(3),
        "b": {"w": torch.ones(1)},
    }
    assert load_checkpoint(small(), content).dropped == ("rng", "b")


def test_a_preset_is_suggested_only_if_it_fits() -> None:
    with pytest.raises(CheckpointError, match="No preset has half of its weights"):
        load_checkpoint(small(), nn.Linear(3, 4).state_dict())


def test_values_that_are_no_real_tensors_are_named(trained: Spikingformer) -> None:
    for value in (torch.ones(10, 16, dtype=torch.cfloat), torch.ones(10, 16).to_sparse(), 3):
        with pytest.raises(CheckpointError, match=r"head\.weight"):
            load_checkpoint(small(), trained.state_dict() | {"head.weight": value})


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_empty_file_is_an_interrupted_download(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    path.touch()
    with pytest.raises(CheckpointError, match="is empty, as after an interrupted download"):
        load_checkpoint(small(), path)


def test_folders_and_pipes_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a directory"):
        load_checkpoint(small(), tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="is not a file"):
        load_checkpoint(small(), tmp_path / "pipe")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "w.pth").write_bytes(b"x")
    monkeypatch.setattr(torch, "load", refused)  # root may read whatever chmod says
    with pytest.raises(CheckpointError, match="may not be read: change its permissions"):
        load_checkpoint(small(), tmp_path / "w.pth")


@pytest.mark.parametrize(
    "content",
    [
        *(b"\x80", b"\x80\x02", b"\x80\x05\x95", b"(lp0\n", b"PK\x03\x04", bytes(100), b"0", b"."),
        *(b"}.", b"a", b"I1\n.", b"\x80\x02]q\x00h\x05.", b"<html>", b"version https://git-lfs"),
        *(pickle.dumps(one) for one in ([], 5, "x", None, {"a": 1}, {1: 2.0})),
    ],
)
def test_damage_of_any_kind_is_a_checkpoint_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match="holds no weights"):
        load_checkpoint(small(), tmp_path / "w.pth")


@given(places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=30)
def test_bytes_that_flip_raise_nothing_else(places: list[tuple[float, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.pth"
        save_checkpoint(small(), path)
        content = bytearray(path.read_bytes())
        for place, value in places:
            content[int(place * min(len(content) - 1, 4000))] = value
        path.write_bytes(content)
        with contextlib.suppress(CheckpointError):
            load_checkpoint(small(), path)
