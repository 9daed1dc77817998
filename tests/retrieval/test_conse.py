"""ConSE against loops, and the names of the classes."""

import numpy as np
import pytest
from scipy.special import softmax

from engram.errors import EngramError
from engram.retrieval.conse import TEMPERATURE, Conse, class_names, convex_combination


def test_vectors_are_means_by_probability() -> None:
    rng = np.random.default_rng(0)
    logits, classes = rng.normal(size=(3, 5)) * 4, rng.normal(size=(5, 7))
    found = convex_combination(logits, classes, 1.7)
    likely = softmax(logits / 1.7, axis=1)
    for row in range(3):
        expected = sum(likely[row, y] * classes[y] for y in range(5))
        np.testing.assert_allclose(found[row], expected)
    # a sure classifier gives the vector of its class, whatever the size of the logits
    np.testing.assert_allclose(convex_combination(1e6 * np.eye(5), classes), classes)


@pytest.mark.parametrize(
    ("shape", "temperature", "message"),
    [((3, 4), 1.0, "do not fit 5 classes"), ((5,), 1.0, "do not fit"), ((3, 5), 0.0, "above 0")],
)
def test_what_does_not_fit_is_refused(shape, temperature, message) -> None:
    with pytest.raises(EngramError, match=message):
        convex_combination(np.zeros(shape), np.ones((5, 2)), temperature)


def test_the_names_are_those_of_imagenet() -> None:
    names = class_names()
    assert len(names) == 1000
    assert all(common and wordnet for common, wordnet in names)
    # numbers that every model card of ImageNet shows
    for number, word in [(0, "tench"), (207, "golden retriever"), (281, "tabby"), (999, "toilet")]:
        assert word in names[number][1]


def test_a_picture_of_one_class_is_nearest_to_its_name() -> None:
    rng = np.random.default_rng(1)
    vectors: dict[str, np.ndarray] = {}

    def texts(given: list[str]) -> np.ndarray:
        rows = []
        for text in given:
            word = text.removeprefix("a photo of a ")
            rows.append(vectors.setdefault(word, rng.normal(size=64)))
        unit = np.stack(rows)
        return (unit / np.linalg.norm(unit, axis=1, keepdims=True)).astype(np.float32)

    head = Conse(texts, "test", lambda features: features)
    pictures = head.pictures(30 * TEMPERATURE * np.eye(1000, dtype=np.float32)[:40])
    np.testing.assert_allclose(np.linalg.norm(pictures, axis=1), 1, atol=1e-5)
    scores = pictures @ head.texts([common for common, _ in class_names()]).T
    assert (scores.argmax(1) == np.arange(40)).all()
