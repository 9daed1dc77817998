"""Two linear maps: they find a space that is there, and their file is checked."""

from pathlib import Path

import numpy as np
import pytest

from engram.errors import EngramError
from engram.retrieval.linear import LinearHead, LinearTraining, load_linear, train_linear
from engram.retrieval.measure import evaluate


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def no_texts(texts: list[str]) -> np.ndarray:
    raise AssertionError(texts)


def world(seed: int, pictures: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures and two captions of each, as different linear views of the same 8 causes."""
    fixed, rng = np.random.default_rng(99), np.random.default_rng(seed)
    see, say = fixed.normal(size=(8, 40)), fixed.normal(size=(8, 20))
    causes = rng.normal(size=(pictures, 8))
    owner = np.repeat(np.arange(pictures), 2)
    features = 3 + causes @ see + 0.1 * rng.normal(size=(pictures, 40))
    vectors = unit(causes[owner] @ say + 0.1 * rng.normal(size=(2 * pictures, 20)))
    return features.astype(np.float32), vectors, owner


def trained(**how) -> tuple[LinearHead, dict[str, np.ndarray]]:
    settings = LinearTraining(dimensions=16, epochs=40, batch=64, dropout=0.1, **how)
    weights = train_linear(*world(0, 400), settings)
    return LinearHead(weights, no_texts, "test", {"captions": 800, "pictures": 400}), weights


def test_captions_of_other_pictures_find_them() -> None:
    head, _ = trained()
    features, vectors, owner = world(1, 100)
    scores = head.pictures(features) @ head.mapped_texts(vectors).T
    quality = evaluate(scores, owner, np.random.default_rng(0), 10)
    assert quality.text_to_image.recalls[0].estimate > 60  # chance is 1
    rng = np.random.default_rng(2)
    chance = evaluate(rng.permutation(scores), owner, rng, 10)
    assert chance.text_to_image.recalls[0].estimate < 10


def test_a_vector_is_that_of_the_equation_and_the_seed_decides() -> None:
    head, weights = trained()
    features, vectors, _ = world(1, 5)
    for matrix, name, found in (
        (features, "picture", head.pictures(features)),
        (vectors, "text", head.mapped_texts(vectors)),
    ):
        for row, expected in zip(found, matrix, strict=True):
            y = weights[name].astype(float) @ expected + weights[f"{name}_offset"]
            np.testing.assert_allclose(row, y / np.linalg.norm(y), atol=1e-4)
    assert trained()[0].identity == head.identity != trained(seed=1)[0].identity


def test_a_head_is_read_again_and_another_file_is_refused(tmp_path: Path) -> None:
    head, _ = trained()
    path = tmp_path / head.file
    path.write_bytes(head.content)
    again = load_linear(path, no_texts, "test")
    assert (again.identity, again.name, again.about) == (head.identity, head.name, head.about)
    path.write_bytes(head.content[:-1] + b"x")
    for wrong in (path, tmp_path / "head-0.safetensors"):
        with pytest.raises(EngramError, match="is missing or damaged"):
            load_linear(wrong, no_texts, "test")


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(EngramError, match="epochs is 0"):
        LinearTraining(epochs=0)
