"""Indexing of folders that change in all the ways in which folders change."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engram.errors import EngramError
from engram.retrieval.library import Encoder, Library, exchange_head, update
from engram.retrieval.library.catalogue import load_catalogue
from tests.retrieval.library.pictures import ENCODER, HEAD, ColourHead, colours, paint, vector_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(8):
        paint(tmp_path / "photos" / f"{number}.png", number)
    return tmp_path / "photos"


def index(root: Path, **how):
    return update(root.parent / "index", root, ENCODER, HEAD, workers=2, **how)


def held(root: Path) -> dict[str, np.ndarray]:
    """The vector of each file, by its path below the folder."""
    library = Library(root.parent / "index")
    rows = np.concatenate(list(library.blocks()))
    return {
        str(Path(path).relative_to(root.resolve())): row
        for entry, row in zip(library.entries, rows, strict=True)
        for path in entry.paths
    }


def check(root: Path, numbers: dict[str, int]) -> None:
    found = held(root)
    assert found.keys() == numbers.keys()
    for name, number in numbers.items():
        np.testing.assert_allclose(found[name], vector_of(number), atol=1e-6)


def test_only_what_is_new_or_changed_is_embedded(root: Path) -> None:
    assert index(root).embedded == 8
    again = index(root)
    assert (again.embedded, again.unchanged) == (0, 8)
    paint(root / "new" / "8.png", 8)
    paint(root / "3.png", 33)
    os.utime(root / "3.png", ns=(1, 1))
    third = index(root)
    assert (third.embedded, third.unchanged, third.pictures) == (2, 7, 9)
    check(root, {f"{n}.png": n for n in range(8) if n != 3} | {"3.png": 33, "new/8.png": 8})


def test_moves_copies_and_new_names_keep_their_vectors(root: Path) -> None:
    index(root)
    (root / "0.png").rename(root / "0.PNG")
    (root / "sub").mkdir()
    (root / "1.png").rename(root / "sub" / "one.png")
    (root / "copy.png").write_bytes((root / "2.png").read_bytes())
    outcome = index(root)
    assert (outcome.embedded, outcome.known, outcome.removed, outcome.pictures) == (0, 3, 0, 8)
    check(
        root,
        {f"{n}.png": n for n in range(2, 8)} | {"0.PNG": 0, "sub/one.png": 1, "copy.png": 2},
    )
    library = Library(root.parent / "index")
    hits = library.search(vector_of(2), limit=3)
    assert [Path(p).name for p in library.entry(hits.ids[0]).paths] == ["2.png", "copy.png"]
    assert len(set(hits.ids)) == 3


def test_a_moved_folder_is_no_loss(root: Path) -> None:
    index(root)
    (root / "all").mkdir()
    for number in range(8):
        (root / f"{number}.png").rename(root / "all" / f"{number}.png")
    outcome = index(root)
    assert (outcome.embedded, outcome.kept, outcome.removed, outcome.pictures) == (0, 0, 0, 8)
    check(root, {f"all/{n}.png": n for n in range(8)})


@pytest.mark.parametrize(
    ("gone", "why"), [(4, ""), (5, "5 of 8 files are gone"), (8, "the folder is empty")]
)
def test_much_is_removed_only_if_asked(gone: int, why: str, root: Path) -> None:
    index(root)
    for number in range(gone):
        (root / f"{number}.png").unlink()
    outcome = index(root)
    assert outcome.why_kept == why
    assert (outcome.kept, outcome.removed) == ((gone, 0) if why else (0, gone))
    assert len(held(root)) == (8 if why else 8 - gone)
    pruned = index(root, prune=True)
    assert pruned.removed == (gone if why else 0)
    assert len(load_catalogue(root.parent / "index").files) == 8 - gone


def test_a_missing_folder_removes_nothing_and_another_one_is_untouched(root: Path) -> None:
    index(root)
    other = paint(root.parent / "other" / "x.png", 99)
    update(root.parent / "index", other.parent, ENCODER, HEAD)
    root.rename(root.parent / "away")
    outcome = index(root)
    assert (outcome.why_kept, outcome.pictures) == ("the folder is missing", 9)
    (root.parent / "away").rename(root)
    assert index(root).unchanged == 8
    with pytest.raises(EngramError, match="is not a folder; give a folder with pictures"):
        index(root / "nowhere")


def test_every_third_file_is_broken_and_each_picture_has_its_own_vector(root: Path) -> None:
    for number in range(90):
        path = paint(root / "many" / f"{number:03d}.png", 100 + number)
        if number % 3 == 1:
            path.write_bytes(path.read_bytes()[:60])
    (root / "notes.txt").write_text("not a picture")
    outcome = index(root)
    assert len(outcome.unreadable) == 31
    assert outcome.unreadable[str(root.resolve() / "notes.txt")] == "is not a picture"
    whole = {f"many/{n:03d}.png": 100 + n for n in range(90) if n % 3 != 1}
    check(root, whole | {f"{n}.png": n for n in range(8)})
    again = index(root)
    assert (len(again.unreadable), again.unchanged) == (31, 8 + 60 + 31)


def test_files_of_systems_and_loops_of_links_are_passed_by(root: Path) -> None:
    for name in (".DS_Store", "._0.png", "@eaDir/0.png", ".hidden/0.png", "Thumbs.db"):
        paint(root / name, 50)
    (root / "loop").symlink_to(root)
    (root / "nowhere.png").symlink_to(root / "missing.png")
    assert index(root).pictures == 8
    check(root, {f"{n}.png": n for n in range(8)})


KILLED = """
import os, sys
from pathlib import Path
from engram.retrieval.library import Encoder, update, writer
from tests.retrieval.library.pictures import ENCODER, HEAD, colours
writer.FEW = 32
calls = 0
def features(pixels):
    global calls
    calls += 1
    if calls == 4:
        os._exit(9)
    return colours(pixels)
encoder = Encoder(ENCODER.identity, ENCODER.side, features)
update(Path(sys.argv[1]), Path(sys.argv[2]), encoder, HEAD)
"""


def test_a_killed_run_continues_where_it_was(root: Path) -> None:
    for number in range(200):
        paint(root / "many" / f"{number:03d}.png", 100 + number)
    words = [sys.executable, "-c", KILLED, str(root.parent / "index"), str(root)]
    assert subprocess.run(words, check=False, cwd=Path(__file__).parents[3]).returncode == 9
    outcome = index(root)
    assert (outcome.embedded, outcome.known) == (208 - 96, 96)
    many = {f"many/{n:03d}.png": 100 + n for n in range(200)}
    check(root, many | {f"{n}.png": n for n in range(8)})
    assert len(list((root.parent / "index").glob("*.segment"))) == 1


def test_another_model_replaces_the_index_at_once(root: Path) -> None:
    index(root)
    store = root.parent / "index"
    calls = []

    def features(pixels: np.ndarray) -> np.ndarray:
        calls.append(len(Library(store)))  # the old index still serves
        return colours(pixels)[:, ::-1]

    other = Encoder("mean colours, backwards", ENCODER.side, features)
    outcome = update(store, root, other, HEAD)
    assert calls == [8]
    assert outcome.former_model == "mean colours; colours 1"
    library = Library(store)
    assert library.catalogue.model == "mean colours, backwards; colours 1"
    found = library.search(HEAD.pictures(colours_of(root / "5.png")[:, ::-1])[0], 1)
    assert Path(library.entry(found.ids[0]).paths[0]).name == "5.png"
    assert len(list(store.glob("*.segment"))) == 1


def colours_of(path: Path) -> np.ndarray:
    from PIL import Image

    return colours(np.asarray(Image.open(path))[None])


def test_another_model_is_refused_while_files_are_away(root: Path) -> None:
    index(root)
    other = paint(root.parent / "other" / "x.png", 99)
    update(root.parent / "index", other.parent, ENCODER, HEAD)
    other.unlink()
    with pytest.raises(EngramError, match="1 of its files are not there"):
        update(root.parent / "index", root, ENCODER, ColourHead(2))
    assert len(Library(root.parent / "index")) == 9
    outcome = update(root.parent / "index", root, ENCODER, ColourHead(2), prune=True)
    assert outcome.pictures == 8


def test_another_head_gets_the_features_that_are_stored(root: Path) -> None:
    index(root)
    store = root.parent / "index"
    for path in root.glob("*.png"):
        path.unlink()  # not needed

    class Turned(ColourHead):
        def pictures(self, features: np.ndarray) -> np.ndarray:
            return super().pictures(features)[:, ::-1]

    other = Turned(2)
    assert exchange_head(store, ENCODER, other, "head-x.safetensors", b"weights") == 8
    library = Library(store)
    assert library.catalogue.model == "mean colours; colours 2"
    assert (store / library.catalogue.head).read_bytes() == b"weights"
    for entry, row in zip(library.entries, next(library.blocks()), strict=True):
        number = int(Path(entry.paths[0]).stem)
        np.testing.assert_allclose(row, vector_of(number)[::-1], atol=1e-3)  # features of 16 bits
    assert len(list(store.glob("*.segment"))) == 1
    assert exchange_head(store, ENCODER, HEAD) == 8
    assert not list(store.glob("head-*"))
    with pytest.raises(EngramError, match="train with the same side"):
        exchange_head(store, Encoder("other", ENCODER.side, colours), HEAD)


def test_two_runs_do_not_write_at_once(root: Path) -> None:
    store = root.parent / "index"

    def features(pixels: np.ndarray) -> np.ndarray:
        with pytest.raises(EngramError, match="another process updates the index"):
            update(store, root, ENCODER, HEAD)
        return colours(pixels)

    assert update(store, root, Encoder("x", ENCODER.side, features), HEAD).embedded == 8


def test_an_index_inside_its_folder_does_not_index_itself(root: Path) -> None:
    store = root / "index"
    update(store, root, ENCODER, HEAD)
    assert update(store, root, ENCODER, HEAD).unchanged == 8


def test_names_in_any_bytes_are_indexed(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        paint(root / name, 60)
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    index(root)
    assert index(root).unchanged == 9
    assert name in held(root)
