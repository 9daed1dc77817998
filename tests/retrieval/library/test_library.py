"""Search in an index against brute force, filters, and crafted files."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engram.errors import EngramError
from engram.retrieval.filters import Filter, read_day
from engram.retrieval.library import Entry, Library, near_duplicates, update, writer
from engram.retrieval.library.calibrate import UNSEEN, measure_level
from engram.retrieval.library.segment import Segment
from engram.retrieval.picture import Facts
from tests.retrieval.library.pictures import ENCODER, HEAD, paint, vector_of


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("library")
    for number in range(60):
        exif = Image.Exif()
        exif[0x0110] = "Pixel 8" if number % 2 else "EOS 5D"
        if number % 3 == 0:
            exif[0x0132] = f"20{10 + number % 5}:06:15 12:00:00"
        paint(root / "photos" / f"year {number % 4}" / f"{number:02d}.png", number, exif=exif)
    few = writer.FEW
    writer.FEW = 7  # several segments, which stay apart
    writer.MANY, many = 1, writer.MANY
    try:
        update(root / "index", root / "photos", ENCODER, HEAD)
    finally:
        writer.FEW, writer.MANY = few, many
    assert len(list((root / "index").glob("*.segment"))) > 1
    return root / "index"


def number_of(library: Library, key: str) -> int:
    return int(Path(library.entry(key).paths[0]).stem)


@pytest.mark.parametrize(
    ("limit", "offset"), [(5, 0), (5, 3), (60, 0), (500, 0), (10, 58), (3, 99)]
)
def test_search_is_that_of_brute_force(store: Path, limit: int, offset: int) -> None:
    library = Library(store)
    query = vector_of(7) + 0.3 * vector_of(9)
    query /= np.linalg.norm(query)
    cosines = {number: float(vector_of(number) @ query) for number in range(60)}
    expected = sorted(cosines, key=lambda number: -cosines[number])[offset : offset + limit]
    hits = library.search(query, limit, offset)
    assert [number_of(library, key) for key in hits.ids] == expected
    np.testing.assert_allclose(hits.scores, [cosines[n] for n in expected], atol=1e-5)
    assert hits.total == 60


def test_filters_come_before_the_ranking(store: Path) -> None:
    library = Library(store)
    chosen = Filter(since=read_day("2012"), until=read_day("2013-06", last=True))
    kept = {n for n in range(0, 60, 3) if n % 5 in (2, 3)}
    hits = library.search(vector_of(1), limit=60, keep=chosen)
    assert {number_of(library, key) for key in hits.ids} == kept
    assert hits.total == len(kept)
    best = max(kept, key=lambda n: vector_of(n) @ vector_of(1))
    assert number_of(library, library.search(vector_of(1), 1, keep=chosen).ids[0]) == best
    folder = str(store.parent / "photos" / "year 2")
    for one in (Filter([folder]), Filter(["year 2"])):
        found = library.search(vector_of(1), 60, keep=one)
        assert {number_of(library, key) % 4 for key in found.ids} == {2}
        assert len(found) == 15
    assert len(library.search(vector_of(1), 60, keep=Filter(exif=[("model", "pixel")]))) == 30
    assert len(library.search(vector_of(1), 5, keep=Filter(["year"]))) == 0


def test_a_filter_of_a_copy_shows_that_copy() -> None:
    entry = Entry(
        "k", ["/a/x/1.png", "/a/y/2.png"], Facts(1, 1, "2024-02-29T00:00:00", "0" * 16, {})
    )
    assert Filter(["y"]).paths(entry) == ["/a/y/2.png"]
    assert Filter(since=date(2024, 2, 29), until=date(2024, 2, 29))(entry)
    assert not Filter(since=date(2024, 3, 1))(entry)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2023-12", date(2023, 12, 1), date(2023, 12, 31)),
        ("2024-05-06", date(2024, 5, 6), date(2024, 5, 6)),
    ],
)
def test_days_months_and_years(text: str, first: date, last: date) -> None:
    assert (read_day(text), read_day(text, last=True)) == (first, last)


@pytest.mark.parametrize(
    "text", ["", "May", "2024-13", "2023-02-29", "2024-1-1-1", "0", "2024-05-00x"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(EngramError, match="is not a date"):
        read_day(text)
    with pytest.raises(EngramError, match="no day is left"):
        Filter(since=date(2024, 1, 2), until=date(2024, 1, 1))


def test_the_level_is_a_quantile_of_best_scores(store: Path) -> None:
    library = Library(store)
    every = np.stack([vector_of(number) for number in range(60)])
    best = (HEAD.texts(list(UNSEEN)) @ every.T).max(1)
    level = measure_level(library, HEAD.texts)
    assert level == pytest.approx(np.quantile(best, 0.95), abs=1e-5)
    assert library.catalogue.level == pytest.approx(level, abs=1e-6)


def test_wrong_queries_are_refused(store: Path) -> None:
    library = Library(store)
    with pytest.raises(EngramError, match="limit 0, offset 0"):
        library.search(vector_of(0), 0)
    with pytest.raises(EngramError, match="3 dimensions and the index 12"):
        library.search(np.ones(3))
    with pytest.raises(EngramError, match="there is no index in"):
        Library(store / "nowhere")


def test_near_duplicates_are_those_of_all_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(6):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        image = coarse.resize((128, 128), Image.Resampling.BICUBIC)
        (tmp_path / "p").mkdir(exist_ok=True)
        image.save(tmp_path / "p" / f"{number}.png")
        if number < 3:
            image.resize((90, 90)).save(tmp_path / "p" / f"{number} small.jpg", quality=70)
    update(tmp_path / "i", tmp_path / "p", ENCODER, HEAD)
    library = Library(tmp_path / "i")
    found = near_duplicates(library)
    names = [[Path(library.entry(key).paths[0]).name for key in group] for group in found]
    assert names == [[f"{n} small.jpg", f"{n}.png"] for n in range(3)]
    looks = {entry.key: int(entry.facts.look, 16) for entry in library.entries}
    for group in found:
        assert (looks[group[0]] ^ looks[group[1]]).bit_count() <= 4
    with pytest.raises(EngramError, match="bits is 65"):
        near_duplicates(library, 65)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_crafted_segment_is_refused(store: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = sorted(store.glob("*.segment"))[0]
    model = Library(store).catalogue.model
    content = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "longer", "random"]))
    if kind == "flip":
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    elif kind == "longer":
        content += b"x"
    else:
        content = bytearray(data.draw(st.binary(max_size=100)))
    crafted = tmp_path / "crafted.segment"
    crafted.write_bytes(content)
    with pytest.raises(EngramError, match="is not a segment of an index"):
        Segment(crafted, model).read()


def test_a_crafted_header_with_right_hashes_is_refused(store: Path, tmp_path: Path) -> None:
    import hashlib
    import json

    path = sorted(store.glob("*.segment"))[0]
    content = path.read_bytes()
    length = int.from_bytes(content[40:44], "little")
    header = json.loads(content[44 : 44 + length])
    for change in (
        {"rows": 10**9}, {"rows": -1}, {"rows": "7"}, {"dimensions": 10**6}, {"sizes": [1, 2, 3]},
        {"sizes": []}, {"features": 0}, {"sha256": []}, {"model": 3}, {"model": "another"},
    ):  # fmt: skip
        head = json.dumps(header | change).encode()
        made = content[:8] + hashlib.sha256(head).digest() + len(head).to_bytes(4, "little")
        crafted = tmp_path / "crafted.segment"
        crafted.write_bytes(made + head + content[44 + length :])
        with pytest.raises(EngramError, match="is not a segment of an index"):
            Segment(crafted, header["model"])


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"format": 2}', b'{"format": 1, "model": 3}', b"\xff\xfe",
                b'{"format":1,"model":"m","side":1,"level":null,"files":{"a":[1,2,3,4]}}']
)  # fmt: skip
def test_a_crafted_catalogue_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "catalogue.json").write_bytes(content)
    with pytest.raises(EngramError, match="is not the catalogue of an index"):
        Library(tmp_path)


def test_a_lost_segment_is_said(store: Path, tmp_path: Path) -> None:
    (tmp_path / "catalogue.json").write_bytes((store / "catalogue.json").read_bytes())
    with pytest.raises(EngramError, match="no vectors for 60 of 60 pictures"):
        Library(tmp_path)
