"""`engram retrieval` on files."""

import json
from pathlib import Path

import numpy as np
import pytest

from engram import cli


def write(folder: Path, name: str, content: np.ndarray) -> str:
    np.save(folder / name, content)
    return str(folder / name)


def test_evaluate_takes_scores_or_embeddings(tmp_path: Path, capsys) -> None:
    rng = np.random.default_rng(0)
    images, captions = rng.normal(size=(20, 6)), rng.normal(size=(40, 6))
    unit = [matrix / np.linalg.norm(matrix, axis=1, keepdims=True) for matrix in (images, captions)]
    scores = write(tmp_path, "scores.npy", unit[0] @ unit[1].T)
    pair = [write(tmp_path, "ims.npy", images), write(tmp_path, "caps.npy", 3 * captions)]
    assert cli.main(["retrieval", "evaluate", scores, "--json"]) == 0
    from_scores = json.loads(capsys.readouterr().out)
    assert cli.main(["retrieval", "evaluate", *pair, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == from_scores
    assert from_scores["captions"] == 40
    owner = write(tmp_path, "owner.npy", np.repeat(np.arange(20), 2))
    assert cli.main(["retrieval", "evaluate", scores, "--owner", owner, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == from_scores


def test_evaluate_prints_a_table_and_the_means_of_folds(tmp_path: Path, capsys) -> None:
    path = write(tmp_path, "scores.npy", np.kron(np.eye(10), np.ones((1, 5))))
    assert cli.main(["retrieval", "evaluate", path]) == 0
    text = capsys.readouterr().out
    assert "rSum 600.0 [600.0, 600.0]" in text
    assert "10 images, 50 captions; 95 % intervals" in text
    assert cli.main(["retrieval", "evaluate", path, "--folds", "5", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["rsum"] == {"estimate": 600.0}
    assert content["text_to_image"]["queries"] == 50


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not numpy", "is not an npy file of numbers"),
        (b"", "is not an npy file of numbers"),
        (np.zeros(3), r"has shape (3,)"),
        (np.array([["a"]]), "give real numbers"),
        (np.array([[None]]), "is not an npy file of numbers"),
        (np.zeros((3, 10)), "10 captions cannot be divided equally among 3 images"),
        (np.full((2, 2), np.nan), "4 scores are NaN or infinite"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(content, message: str, tmp_path, capsys) -> None:
    path = tmp_path / "scores.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    assert cli.main(["retrieval", "evaluate", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_embeddings_that_do_not_fit_are_refused(tmp_path: Path, capsys) -> None:
    ims, caps = write(tmp_path, "a.npy", np.ones((2, 3))), write(tmp_path, "b.npy", np.ones((4, 5)))
    zero = write(tmp_path, "zero.npy", np.array([[1.0, 1, 1], [0, 0, 0]]))
    for files, message in [
        ([ims, caps], "have 3 dimensions and those in"),
        ([ims, zero], "1 of 2 rows in"),
        ([ims, ims, ims], "3 files; give one of scores"),
    ]:
        assert cli.main(["retrieval", "evaluate", *files]) == 2
        assert message in capsys.readouterr().err
