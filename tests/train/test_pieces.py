import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.state_dict_saver import save

from engram.train.checkpoint import PIECES, Checkpoints, facts, load_latest, scratch_of
from engram.train.pieces import files_of, joined, read_pieces, split

TENSORS = {
    "weights": torch.randn(5, 3, dtype=torch.float64),
    "layer.bias": torch.randn(4),
    "half": torch.randn(2, 2, dtype=torch.bfloat16),
    "count": torch.arange(3),
}


def written(folder, tensors=TENSORS):
    """Files by torch itself, in one process."""
    writer = FileSystemWriter(folder)
    with pytest.warns(UserWarning, match="single process"):
        save(dict(tensors), storage_writer=writer, no_dist=True)
    return folder


def test_the_files_of_torch_are_read_back(tmp_path):
    found = read_pieces(written(tmp_path / "pieces"))
    assert found.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


def test_a_checkpoint_in_pieces_is_whole_only_with_all_of_them(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"a": 1})
    assert checkpoints.begin(2)
    folder = written(scratch_of(tmp_path, 2) / PIECES)
    files = {file.name: facts(file) for file in files_of(folder, 0)}
    assert set(files) == {".metadata", "__0_0.distcp"}
    state = {"model": {"in pieces": "weights"}, "rest": [(1.5, {"in pieces": "count"})]}
    target = checkpoints.save(2, state, files)
    assert not checkpoints.begin(2)
    found = load_latest(tmp_path)
    assert found is not None
    assert torch.equal(found["model"], TENSORS["weights"])
    assert torch.equal(found["rest"][0][1], TENSORS["count"])
    (target / PIECES / "__0_0.distcp").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"__0_0\.distcp is damaged.*continuing from .*000001"):
        assert load_latest(tmp_path) == {"a": 1}


class Code:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return print, ("run",)


def test_no_code_is_run_by_the_description_of_the_files(tmp_path, capsys):
    folder = written(tmp_path / "pieces")
    (folder / ".metadata").write_bytes(pickle.dumps(Code()))
    with pytest.raises(ValueError, match=r"names builtins\.print"):
        read_pieces(folder)
    assert not capsys.readouterr().out


def test_no_object_is_read_in_place_of_a_tensor(tmp_path):
    folder = written(tmp_path / "pieces", {"weights": torch.zeros(2), "code": Code()})
    with pytest.raises(ValueError, match="code is not a tensor"):
        read_pieces(folder)


def test_files_that_are_missing_are_named(tmp_path):
    folder = written(tmp_path / "pieces")
    (folder / "__0_0.distcp").unlink()
    with pytest.raises(ValueError, match=r"__0_0\.distcp"):
        read_pieces(folder)
    with pytest.raises(ValueError, match="all processes need to see the same folder"):
        read_pieces(tmp_path / "nowhere")


plain = st.none() | st.integers() | st.text(max_size=3)
nested = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(nested)
def test_a_state_without_divided_tensors_stays_as_it_is(state):
    rest, pieces = split(state)
    assert rest == state
    assert pieces == {}
    assert joined(rest, pieces) == state
