"""`engram retrieval index`, `search`, `duplicates` and `export` on folders of pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engram import cli
from engram.retrieval.library import Encoder, Library, model_of
from engram.retrieval.linear import load_linear
from engram.retrieval.picture import decode
from engram.studies import picture_search
from engram.studies.caption_training import Trained
from engram.studies.picture_search import TEXTS
from tests.retrieval.library.pictures import HEAD, SIDE, colours, paint, pixels_of, vector_of


class ColourModels:
    """Stands for the networks, at a side of its own."""

    features = staticmethod(colours)

    def __init__(self, side: int, head: Path | None = None) -> None:
        self.side = SIDE
        self.encoder = Encoder("colours", SIDE, colours)
        self.head = HEAD if head is None else load_linear(head, self.texts, TEXTS)
        self.model = model_of(self.encoder, self.head)

    @staticmethod
    def texts(texts: list[str]) -> np.ndarray:
        """A number is described by the vector of its picture in another order; else letters."""
        plain = HEAD.texts(texts)
        for row, text in enumerate(texts):
            if text.isdigit():
                plain[row] = np.roll(vector_of(int(text)), 5)
        return plain

    def pictures(self, paths: list[Path]) -> np.ndarray:
        pixels = [decode(path.read_bytes(), SIDE).pixels for path in paths]
        return self.head.pictures(colours(np.stack(pixels)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(picture_search, "SearchModels", ColourModels)
    for number in range(12):
        paint(tmp_path / "photos" / ("a" if number % 2 else "b") / f"{number}.png", number)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path


def run(capsys: pytest.CaptureFixture, *words: str) -> str:
    assert cli.main(["retrieval", *words]) == 0
    return capsys.readouterr().out


def found(capsys: pytest.CaptureFixture, *words: str) -> dict:
    return json.loads(run(capsys, "search", *words, "--json"))


def test_what_was_indexed_is_said(folder: Path, capsys) -> None:
    text = run(capsys, "index", "photos")
    assert "embedded" in text
    assert "broken.jpg is not a picture" in text or "broken.jpg cannot be decoded" in text
    assert "12 pictures in pictures-index; nothing left this machine." in text
    again = json.loads(run(capsys, "index", "photos", "--json"))
    assert (again["unchanged"], again["embedded"], len(again["unreadable"])) == (13, 0, 1)
    for path in (folder / "photos").rglob("*.png"):
        path.unlink()
    text = run(capsys, "index", "photos")
    assert "Nothing was removed, since 12 of 13 files are gone; if that is meant" in text
    text = run(capsys, "search", "--image", str(paint(folder / "q.png", 3)), "--limit", "1")
    assert "3.png  (not there now)" in text
    assert "0 pictures" in run(capsys, "index", "photos", "--prune")
    assert found(capsys, "dog")["hits"] == []


def test_a_picture_finds_itself_and_sums_are_those_of_vectors(folder: Path, capsys) -> None:
    run(capsys, "index", "photos")
    query = "photos/a/3.png"
    content = found(capsys, "--image", query, "--limit", "2")
    assert Path(content["hits"][0]["path"]).name == "3.png"
    assert content["hits"][0]["score"] == pytest.approx(1, abs=1e-3)
    assert content["level"] is None
    content = found(capsys, f'"dog" + {query} - "grass"', "--limit", "12")
    dog, grass = HEAD.texts(["dog", "grass"])
    target = dog + vector_of(3) - grass
    target /= np.linalg.norm(target)
    expected = sorted(range(12), key=lambda n: -float(vector_of(n) @ target))
    assert [int(Path(hit["path"]).stem) for hit in content["hits"]] == expected
    assert content["query"] == ['+ "dog"', f"+ {query}", '− "grass"']
    assert found(capsys, '"dog"', "+", query, "-", '"grass"', "--limit", "12") == content


def test_filters_notes_and_the_level(folder: Path, capsys) -> None:
    run(capsys, "index", "photos")
    content = found(capsys, "dog", "--folder", "photos/a")
    assert content["compared"] == 6
    assert {Path(hit["path"]).parent.name for hit in content["hits"]} == {"a"}
    assert content["notes"][-1] == "6 of 12 pictures pass the filters."
    assert "another language" in run(capsys, "search", "ein Hund im Schnee")
    content = found(capsys, "dog", "--since", "2024")
    assert content["hits"] == []
    assert content["notes"][0] == "No picture passes the filters."
    level = Library(folder / "pictures-index").catalogue.level
    every = np.stack([vector_of(number) for number in range(12)])
    for text in ("dog", "cat", "boat", "tree", "red", "house"):
        content = found(capsys, text)
        best = float((HEAD.texts([text])[0] @ every.T).max())
        assert content["close"] == (best >= level)
        assert ("Nothing close" in " ".join(content["notes"])) == (best < level)


def test_the_contact_sheet_holds_its_pictures(folder: Path, capsys) -> None:
    odd = paint(folder / "photos" / "<b>&.png", 77)
    run(capsys, "index", "photos")
    run(capsys, "search", "<script>", "--image", str(odd), "--html", "sheet.html")
    page = (folder / "sheet.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 10
    assert "<script>" not in page
    assert "&lt;b&gt;&amp;.png" in page
    assert "http" not in page


def test_duplicates_and_export(folder: Path, capsys) -> None:
    (folder / "photos" / "copy.png").write_bytes((folder / "photos/a/1.png").read_bytes())
    Image.fromarray(pixels_of(2)).resize((64, 64), 0).save(folder / "photos" / "large.png")
    run(capsys, "index", "photos")
    groups = json.loads(run(capsys, "duplicates", "--json"))
    names = {kind: [[Path(p).name for p in group] for group in groups[kind]] for kind in groups}
    assert names["same"] == [["1.png", "copy.png"]]
    assert ["2.png", "large.png"] in names["near"]
    assert "1 groups of the same content" in run(capsys, "duplicates")
    run(capsys, "export", "vectors.npy")
    vectors, about = np.load("vectors.npy"), json.loads(Path("vectors.json").read_text())
    for row, picture in zip(vectors, about["pictures"], strict=True):
        name = Path(picture["paths"][0]).stem
        if name.isdigit():
            np.testing.assert_allclose(row, vector_of(int(name)), atol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "dog", "--store", "nowhere"], "there is no index in nowhere"),
        (["search"], "the query is empty"),
        (["search", "dog", "--limit", "0"], "limit 0"),
        (["search", "dog", "--since", "soon"], "'soon' is not a date"),
        (["search", "dog", "--exif", "Model"], "is not FIELD=WORDS"),
        (["index", "nowhere"], "is not a folder"),
        (["index", "photos", "--side", "7"], "side is 7"),
        (["index", "photos", "--workers", "0"], "workers is 0"),
        (["export", "vectors.csv"], "does not end with .npy"),
    ],
)
def test_mistakes_are_named(words: list[str], message: str, folder: Path, capsys) -> None:
    run(capsys, "index", "photos")
    assert cli.main(["retrieval", *words]) == 2
    assert message in capsys.readouterr().err


def test_an_index_of_another_model_is_refused_and_made_anew(folder: Path, capsys) -> None:
    run(capsys, "index", "photos")
    catalogue = folder / "pictures-index" / "catalogue.json"
    content = json.loads(catalogue.read_text())
    content["model"] = "another"
    catalogue.write_text(json.dumps(content))
    assert cli.main(["retrieval", "search", "dog"]) == 2
    assert "is of another model: 'another'" in capsys.readouterr().err
    assert "Indexed anew" in run(capsys, "index", "photos")
    assert len(found(capsys, "dog")["hits"]) == 10


def test_a_trained_head_ranks_if_it_is_better(folder: Path, capsys) -> None:
    run(capsys, "index", "photos")
    lines = []
    for number in range(200, 320):
        paint(folder / "captioned" / f"{number}.png", number)
        lines.append(f"{number}.png\t{number}\n")
    captions = folder / "captioned" / "captions.txt"
    captions.write_text("".join(lines))
    words = ["train", str(captions), "--epochs", "60", "--batch", "50", "--dropout", "0.1"]
    measured = json.loads(run(capsys, *words, "--measure-only", "--json"))
    assert not measured["taken"]
    assert "colours" in found(capsys, "dog")["ranked_by"]
    content = json.loads(run(capsys, *words, "--json"))
    assert (content["taken"], content["pictures"], content["held_out"]) == (True, 12, 12)
    assert content["trained"]["rsum"] > content["conse"]["rsum"]
    answer = found(capsys, "7")
    assert answer["ranked_by"] == "two linear maps, trained on 108 captions of 108 pictures"
    assert Path(answer["hits"][0]["path"]).name == "7.png"
    paint(folder / "photos" / "400.png", 400)
    again = json.loads(run(capsys, "index", "photos", "--json"))
    assert (again["embedded"], again["former_model"]) == (1, "")
    assert Path(found(capsys, "400")["hits"][0]["path"]).name == "400.png"
    assert "13 pictures" in run(capsys, "index", "photos", "--untrained")
    assert "colours" in found(capsys, "dog")["ranked_by"]


def test_captions_that_teach_nothing_leave_the_index_as_it_is(
    folder: Path, capsys, monkeypatch
) -> None:
    run(capsys, "index", "photos")
    captions = folder / "captions.txt"
    names = [paint(folder / f"{number}.png", number).name for number in range(500, 530)]
    captions.write_text("".join(f"{name}\ta word\n" for name in names))
    monkeypatch.setattr(Trained, "is_better", False)
    text = run(capsys, "train", str(captions), "--epochs", "1")
    assert "ConSE still ranks" in text
    assert "Measured on 3 pictures that were not trained on" in text
    assert "colours" in found(capsys, "dog")["ranked_by"]
    other = folder / "other.txt"
    other.write_text("".join(f"{name}\ta word\n" for name in names[5:12]))
    everything = json.loads(
        run(capsys, "train", str(folder / "captions.txt"), "--test", str(other), "--json")
    )
    assert everything["held_out"] == 7
    assert everything["head"].endswith("30 captions of 30 pictures")
    captions.write_text("".join(f"{name}\ta word\n" for name in names[:5]))
    assert cli.main(["retrieval", "train", str(captions)]) == 2
    assert "5 pictures with captions can be read; 20 are needed" in capsys.readouterr().err
    assert cli.main(["retrieval", "train", str(captions), "--hold-out", "0.9"]) == 2
    assert "hold_out is 0.9" in capsys.readouterr().err
