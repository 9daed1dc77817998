import json
import os
import random
import resource
import signal
import stat
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.train.checkpoint import (
    Checkpoints,
    generators,
    load_latest,
    restore_generators,
    state_size,
)
from tests.train import closed, launch


def state(number: int) -> dict:
    return {"weights": torch.full((64,), float(number)), "names": ["a"], "at": (number, 1.5)}


def test_the_last_ones_are_kept_and_the_last_is_read(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert checkpoints.latest() is None
    for step in (1, 2, 10):
        checkpoints.save(step, state(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000002", "step-000000010"]
    found = checkpoints.latest()
    assert found["at"] == (10, 1.5)
    assert torch.equal(found["weights"], state(10)["weights"])


@pytest.mark.parametrize("damage", ["truncated", "changed", "unfinished", "marker", "empty"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_read(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, state(step))
    last = tmp_path / "step-000000002"
    content = (last / "state.pt").read_bytes()
    if damage == "truncated":
        (last / "state.pt").write_bytes(content[:-100])
    elif damage == "changed":
        at = len(content) // 2
        (last / "state.pt").write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    elif damage == "empty":
        (last / "state.pt").write_bytes(b"")
    elif damage == "unfinished":
        (last / "complete.json").unlink()
    else:
        (last / "complete.json").write_bytes(b'{"forma')
    with pytest.warns(UserWarning, match=r"step-000000002.*continuing from.*step-000000001"):
        assert checkpoints.latest()["at"] == (1, 1.5)
    checkpoints.save(3, state(3))
    assert checkpoints.latest()["at"] == (3, 1.5)


@given(st.data())
@settings(max_examples=60)
def test_no_change_of_any_byte_is_taken_for_a_checkpoint(data):
    with tempfile.TemporaryDirectory() as name:
        checkpoints = Checkpoints(Path(name))
        for step in (1, 2):
            checkpoints.save(step, state(step))
        chosen = data.draw(st.sampled_from(["state.pt", "complete.json"]))
        file = Path(name) / "step-000000002" / chosen
        content = bytearray(file.read_bytes())
        if data.draw(st.booleans()):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        else:
            del content[data.draw(st.integers(0, len(content) - 1)) :]
        file.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = checkpoints.latest()
        assert found is not None
        # the name of the hash of the marker may change, but nothing that it stands for
        whole = chosen == "complete.json" and b"digest" not in content
        assert found["at"] in ([(1, 1.5), (2, 1.5)] if whole else [(1, 1.5)])
        assert torch.equal(found["weights"], state(found["at"][0])["weights"])


def test_without_a_whole_one_the_training_begins_anew_with_a_warning(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    (checkpoints.save(1, state(1)) / "complete.json").unlink()
    with pytest.warns(UserWarning, match="step-000000001 is not read.*from the beginning"):
        assert checkpoints.latest() is None


def test_scratch_of_a_killed_write_is_never_read(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1))
    scratch = tmp_path / ".step-000000002"
    scratch.mkdir()
    (scratch / "state.pt").write_bytes(b"half")
    assert checkpoints.latest()["at"] == (1, 1.5)
    checkpoints.save(2, state(2))
    assert checkpoints.latest()["at"] == (2, 1.5)


def test_another_format_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save(1, state(1)) / "complete.json"
    marker = json.loads(path.read_text()) | {"format": 99}
    del marker["digest"]  # of a version that writes none
    path.write_text(json.dumps(marker))
    with pytest.raises(ValueError, match="format 99"):
        checkpoints.latest()


def test_no_code_is_read_from_a_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"code": print})
    with pytest.raises(Exception, match="weights_only"):
        checkpoints.latest()


def test_a_write_that_fails_says_so_and_leaves_the_others_whole(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))  # as a full disk does
    try:
        with pytest.raises(ValueError, match=r"step 2 could not be written .*step-000000001"):
            checkpoints.save(2, {"weights": torch.zeros(1 << 16)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001"]
    assert checkpoints.latest()["at"] == (1, 1.5)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match=r"cannot be written to .*file/checkpoints"):
        Checkpoints(file / "checkpoints")
    closed = tmp_path / "closed"
    closed.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    try:
        (closed / "probe").touch()
    except PermissionError:
        with pytest.raises(ValueError, match=r"cannot be written to .*closed"):
            Checkpoints(closed)


def test_too_little_space_is_refused_with_what_is_needed(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=3)
    checkpoints.check_space(1000)
    with pytest.raises(ValueError, match="5 checkpoints of 1000000000000 MB"):
        checkpoints.check_space(10**18)


def test_the_size_of_a_state_is_that_of_its_tensors():
    assert state_size({"a": [torch.zeros(3), {"b": torch.zeros(2, dtype=torch.int64)}]}) == 28


def draws() -> list[float]:
    numpy = np.random.rand(3).tolist()  # noqa: NPY002
    return [*torch.rand(3).tolist(), *numpy, random.random(), random.gauss(0, 1)]


def test_every_generator_is_restored(tmp_path):
    torch.manual_seed(1)
    np.random.seed(2)  # noqa: NPY002  its generator is what is tested
    random.seed(3)
    random.gauss(0, 1)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, generators())
    before = draws()
    restore_generators(checkpoints.latest() or {})
    assert draws() == before


@pytest.fixture
def ours():
    """A folder of an ordinary user, whom the folders of pytest are closed to."""
    with tempfile.TemporaryDirectory() as name:
        if not os.getuid():
            os.chown(name, closed.NOBODY, closed.NOBODY)
        yield Path(name)


def test_a_folder_that_is_read_only_ends_a_training_before_its_first_step(ours):
    ours.chmod(closed.READABLE)
    (process,) = launch.start("tests.train.closed", [str(ours), "-1"])
    said = process.communicate()
    assert process.returncode == 2
    assert f"cannot be written to {ours}/checkpoints (Permission denied)" in said
    assert "epoch" not in said


def test_a_folder_that_becomes_read_only_ends_a_training_that_never_says_saved(ours):
    (process,) = launch.start("tests.train.closed", [str(ours), "2"])
    said = process.communicate()
    assert process.returncode == 2
    folder = ours / "checkpoints"
    assert f"step 11 could not be written to {folder} ([Errno 13] Permission denied" in said
    assert f"the last good checkpoint is {folder}/step-000000010" in said
    assert "saved" not in said
    found = load_latest(folder)
    assert found is not None
    assert found["engine"]["step"] == 10
