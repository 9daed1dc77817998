"""Responses and RDMs from files that other packages wrote, and from arrays of every layout."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from engram.data.responses import Rdms, ResponseOptions, Responses, read_responses
from engram.errors import EngramError

FILES = Path(__file__).parent / "files"
DATA = Path(os.environ.get("ENGRAM_DATA", "")) / "neural"


def responses(path: Path, **options) -> Responses:
    found = read_responses(path, ResponseOptions(**options))
    assert isinstance(found, Responses)
    return found


def rdms(path: Path, **options) -> Rdms:
    found = read_responses(path, ResponseOptions(**options))
    assert isinstance(found, Rdms)
    return found


def saved(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("name", ["assembly_netcdf4.nc", "assembly_h5netcdf.nc"])
def test_an_assembly_of_xarray_is_regrouped_by_stimulus(name):
    found = responses(FILES / name)
    order = np.random.default_rng(0).permutation(12)
    values = np.arange(120, dtype=np.float32).reshape(12, 5, 2)
    shown = order % 4
    for place, stimulus in enumerate(found.stimuli):
        rows = values[shown == int(stimulus.removeprefix("im"))]
        np.testing.assert_array_equal(found.values[place], rows)
    assert list(found.neuroids) == [f"A_{k}" for k in range(5)]
    assert list(found.areas) == ["V4", "V4", "IT", "IT", "IT"]
    assert list(found.subjects) == ["Tito", "Chabo", "Tito", "Chabo", "Chabo"]
    assert found.time_s == [0.07, 0.12]


def test_spikes_of_nwb_are_counted_by_presentation():
    found = responses(FILES / "presentations.nwb")
    assert list(found.stimuli) == ["7", "3"]
    # trains 0.05 0.12 1.02 2.4 and 0.3 1.2 1.21 3.1; presentations at 0 1 2 3 s, 0.25 s each
    assert found.values[..., 0].tolist() == [[[2, 0], [0, 0]], [[1, 2], [0, 1]]]
    assert list(found.areas) == ["VISp", "VISl"]
    assert list(found.subjects) == ["mouse1", "mouse1"]
    binned = responses(FILES / "presentations.nwb", window_s=(0.0, 0.5), bin_s=0.1)
    assert binned.values.shape == (2, 2, 2, 5)
    assert binned.values[0, 0, 0].tolist() == [1, 1, 0, 0, 0]
    with pytest.raises(EngramError, match=r"no table with start_time.*natural_scenes"):
        responses(FILES / "presentations.nwb", presentations="intervals/none")
    with pytest.raises(EngramError, match="0 tables of presentations name stimuli"):
        responses(FILES / "presentations.nwb", stimulus="colour")


def matlab(path: Path, **arrays) -> Path:
    """A file as MATLAB 7.3 writes it: axes reversed, text as numbers, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in arrays.items():
            if isinstance(value, list):
                held = [
                    file.create_dataset(f"#refs#/{name}{k}", data=np.array([[ord(c)] for c in one]))
                    for k, one in enumerate(value)
                ]
                cells = np.array([[one.ref] for one in held], dtype=h5py.ref_dtype).T
                file.create_dataset(name, data=cells).attrs["MATLAB_class"] = np.bytes_(b"cell")
            else:
                file.create_dataset(name, data=value.T).attrs["MATLAB_class"] = np.bytes_(b"double")
    return path


def test_matlab_s_axes_and_cells_are_as_matlab_shows_them(tmp_path):
    values = np.random.default_rng(0).normal(size=(6, 3, 4))
    ids = [f"picture {k}" for k in range(6)]
    path = matlab(tmp_path / "a.mat", responses=values, stimulus_id=ids)
    found = responses(path, axes=("stimulus", "repetition", "neuroid"))
    np.testing.assert_array_equal(found.values[..., 0], values)
    assert list(found.stimuli) == ids
    (tmp_path / "old.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(600))
    with pytest.raises(EngramError, match="save it with -v7"):
        read_responses(tmp_path / "old.mat")


def test_axes_are_told_by_the_lengths_of_the_ids_and_never_guessed(tmp_path):
    values = np.arange(24.0).reshape(4, 6)
    ids = [f"s{k}" for k in range(6)]
    path = saved(tmp_path / "a.npz", responses=values, stimulus_id=ids, neuroid_id=range(4))
    found = responses(path)
    np.testing.assert_array_equal(found.values[:, 0, :, 0], values.T)
    for shape in ((4, 6), (6, 3, 4)):
        bare = saved(tmp_path / "b.npz", counts=np.zeros(shape))
        with pytest.raises(EngramError, match="what its axes are is not clear"):
            read_responses(bare)
    third = np.zeros((6, 3, 4))
    unclear = saved(tmp_path / "c.npz", counts=third, stimulus_id=ids, neuroid_id=range(4))
    with pytest.raises(EngramError, match="state one name for each"):
        read_responses(unclear)
    with pytest.raises(EngramError, match="cannot be told which array"):
        read_responses(saved(tmp_path / "d.npz", one=third, other=third))
    with pytest.raises(EngramError, match="there is no array 'x'"):
        responses(path, keys=("x",))


def test_the_number_of_a_missing_repetition_is_nan(tmp_path):
    counts = np.array([[[1, 255], [3, 4]], [[5, 6], [7, 255]]], np.uint8)
    path = saved(tmp_path / "a.npz", counts=counts)
    found = responses(path, axes=("neuroid", "stimulus", "repetition"), missing=255)
    expected = np.where(counts == 255, np.nan, counts.astype(float)).transpose(1, 2, 0)
    np.testing.assert_array_equal(found.values[..., 0], expected)


def symmetric(count: int, stimuli: int) -> np.ndarray:
    x = np.random.default_rng(1).random((count, stimuli, stimuli))
    x = x + x.transpose(0, 2, 1)
    x[:, range(stimuli), range(stimuli)] = 0
    return x


def test_rdms_in_every_layout_are_the_same_triangles(tmp_path):
    square = symmetric(3, 5)
    upper = square[:, *np.triu_indices(5, 1)]
    for array in (square, np.moveaxis(square, 0, 2), upper):
        found = rdms(saved(tmp_path / "a.npz", IT_RDMs=array))
        np.testing.assert_allclose(found.rdms["IT"], upper)
        assert found.n_stimuli == 5
        assert any("taken as subjects" in note for note in found.notes)
    one = rdms(saved(tmp_path / "b.npz", corr=1 - square[0]), keys=("corr",), correlation=True)
    np.testing.assert_allclose(one.rdms["corr"][0], upper[0], atol=1e-12)


def test_sessions_of_one_subject_are_averaged_and_areas_are_told_apart(tmp_path):
    square = symmetric(4, 5)
    upper = square[:, *np.triu_indices(5, 1)]
    path = saved(tmp_path / "a.npz", rdms=square, subject=["BE", "BE", "KO", "KO"])
    found = rdms(path)
    np.testing.assert_allclose(found.rdms["rdms"], [upper[:2].mean(0), upper[2:].mean(0)])
    assert any("4 RDMs of 2 subjects were averaged" in note for note in found.notes)
    both = rdms(saved(tmp_path / "b.npz", rdms=square, area=["V1", "V1", "IT", "IT"]))
    assert list(both.rdms) == ["V1", "IT"]
    np.testing.assert_allclose(both.rdms["IT"], upper[2:])


def test_damaged_and_unknown_files_are_refused_by_name(tmp_path):
    with pytest.raises(EngramError, match="is not a file"):
        read_responses(tmp_path / "none.npz")
    (tmp_path / "a.txt").write_text("1")
    with pytest.raises(EngramError, match="format that is not known"):
        read_responses(tmp_path / "a.txt")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04broken")
    with pytest.raises(EngramError, match="cannot be read as NumPy's format"):
        read_responses(tmp_path / "a.npz")
    whole = (FILES / "assembly_netcdf4.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngramError, match=r"cut\.nc cannot be read"):
        read_responses(tmp_path / "cut.nc")
    np.savez(tmp_path / "o.npz", x=np.array([{}], dtype=object))
    with pytest.raises(EngramError, match="it holds nothing"):
        read_responses(tmp_path / "o.npz")


@pytest.mark.parametrize(
    "options", [{"axes": ("time", "x")}, {"axes": ("time", "time")}, {"bin_s": 0.0},
                {"window_s": (1.0, 0.5)}],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(EngramError):
        ResponseOptions(**options)


@pytest.mark.data
def test_the_recordings_at_hand_are_read():
    fmri = rdms(DATA / "algonauts2019-92/target_fmri.mat")
    assert {name: rdm.shape for name, rdm in fmri.rdms.items()} == {
        "EVC": (15, 4186), "IT": (15, 4186),
    }  # fmt: skip
    mouse = rdms(
        DATA / "allen-natural-scenes/allen_natural_scenes.npz", keys=("corr",), correlation=True
    )
    assert len(mouse.rdms) == 21
    assert mouse.n_stimuli == 118
    v4 = responses(
        DATA / "cowley-v4/responses_raw_210325.npz",
        axes=("neuroid", "stimulus", "repetition"),
        missing=255,
    )
    averaged = np.load(DATA / "cowley-v4/responses_210325.npy")  # (neurons, stimuli)
    means = np.nanmean(v4.values[..., 0], axis=1).T
    np.testing.assert_allclose(means, averaged, atol=1e-4)
