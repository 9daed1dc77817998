"""The style transformer: its size, its ablations, and embeddings that see no other sample."""

from typing import Any

import pytest
import torch
from torch import nn

from engram.retrieval.measure import owners, ranks
from engram.retrieval.model import StyleTransformer, contrastive

ABLATIONS = [
    {},
    {"style": False},
    {"knowledge": False},
    {"shared": False},
    {"sequential": False},
    {"style": False, "knowledge": False},
]


def small(**switches: bool) -> StyleTransformer:
    model = StyleTransformer(12, 10, 16, 2, 6, 8, heads=2, rank=4, words=9, **switches).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(0.7)  # at 0, where it starts, nothing is read
    return model


@pytest.mark.parametrize("stages", [2, 3, 4])
def test_the_trunk_has_at_most_half_of_the_parameters_of_standard_transformers(stages: int) -> None:
    ours = StyleTransformer(2048, 384, 512, stages).trunk_parameters()
    block = nn.TransformerEncoderLayer(512, 8, dim_feedforward=4 * 512)
    assert ours <= 0.5 * 2 * stages * sum(p.numel() for p in block.parameters())


@pytest.mark.parametrize("switches", ABLATIONS)
def test_the_trunk_is_all_but_what_enters_leaves_and_is_learned_as_data(switches) -> None:
    model = small(**switches)
    outside = 0
    for tower in (model.image, model.text):
        outside += sum(
            p.numel() for m in (tower.enter, tower.leave, tower.pool) for p in m.parameters()
        )
    assert model.text.position is not None
    outside += model.text.position.numel() + 6 * 16 * len(model.knowledge)  # 6 units of width 16
    assert model.trunk_parameters() == sum(p.numel() for p in model.parameters()) - outside


@pytest.mark.parametrize("switches", ABLATIONS)
def test_an_embedding_depends_neither_on_its_batch_nor_on_padding(switches) -> None:
    model = small(**switches)
    lengths = [3, 7, 1, 7, 5]
    for embed, features in ((model.embed_images, 12), (model.embed_texts, 10)):
        valid = torch.arange(7) < torch.tensor(lengths)[:, None]
        x = torch.randn(5, 7, features)
        together = embed(x.masked_fill(~valid[..., None], torch.nan), valid).vectors
        for i, length in enumerate(lengths):
            alone = embed(x[i : i + 1, :length]).vectors[0]
            torch.testing.assert_close(together[i], alone, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together.norm(dim=1), torch.ones(5))
        assert not torch.allclose(together[1], together[3], atol=1e-3)


def test_the_order_of_words_matters_and_that_of_regions_does_not() -> None:
    model, order = small(), torch.tensor([2, 0, 3, 1])
    images, texts = torch.randn(2, 4, 12), torch.randn(2, 4, 10)
    one, other = (model.embed_images(x).vectors for x in (images, images[:, order]))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    one, other = (model.embed_texts(x).vectors for x in (texts, texts[:, order]))
    assert not torch.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("switches", ABLATIONS)
def test_every_parameter_learns(switches) -> None:
    model = small(**switches)
    images, texts = (
        model.embed_images(torch.randn(4, 5, 12)),
        model.embed_texts(torch.randn(4, 9, 10)),
    )
    (
        (images.vectors * torch.randn(4, 8)).sum() + (texts.vectors * torch.randn(4, 8)).sum()
    ).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("shared", [True, False])
def test_texts_change_what_images_know_only_if_it_is_shared(shared: bool) -> None:
    model = small(shared=shared)
    assert len(model.knowledge) == (1 if shared else 2)
    model.embed_texts(torch.randn(3, 4, 10)).vectors.sum().backward()
    assert (model.knowledge[0].units.grad is not None) == shared


def test_the_use_of_the_units_is_a_distribution() -> None:
    use = small().embed_images(torch.randn(3, 4, 12)).use
    assert use is not None
    torch.testing.assert_close(use.sum(1), torch.ones(3))
    assert small(knowledge=False).embed_images(torch.randn(3, 4, 12)).use is None


def planted(seed: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and texts of four items each that show the same hidden vector through fixed maps."""
    maps = torch.Generator().manual_seed(99)
    to_image, to_text = torch.randn(6, 12, generator=maps), torch.randn(6, 10, generator=maps)
    rng = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n, 1, 6, generator=rng)
    noise = [0.1 * torch.randn(n, 4, width, generator=rng) for width in (12, 10)]
    return hidden @ to_image + noise[0], hidden @ to_text + noise[1]


def test_it_learns_to_find_pairs_that_it_has_not_seen() -> None:
    model = StyleTransformer(12, 10, 16, 2, 6, 8, heads=2, rank=4, words=4, dropout=0.0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    images, texts = planted(0, 256)
    for step in range(150):
        batch = torch.arange(64) + 64 * (step % 4)
        scores = (
            model.embed_images(images[batch]).vectors @ model.embed_texts(texts[batch]).vectors.T
        )
        optimiser.zero_grad()
        contrastive(scores, torch.eye(64, dtype=torch.bool)).backward()
        optimiser.step()
    images, texts = planted(1, 100)
    with torch.no_grad():
        scores = model.embed_images(images).vectors @ model.embed_texts(texts).vectors.T
    for found in ranks(scores.numpy(), owners(100, 100)):
        assert found.recall(5).mean() > 0.5  # chance is 0.05


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 20}, "width is 20; give a multiple of 4 and of 16"),
        ({"width": 2, "heads": 1}, "width is 2"),
        ({"stages": 0}, "stages is 0"),
        ({"units": 0}, "units is 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StyleTransformer(12, 10, **sizes)


def test_texts_that_are_empty_or_too_long_are_refused() -> None:
    model = small()
    with pytest.raises(ValueError, match="a text has 10 words; shorten it to 9"):
        model.embed_texts(torch.randn(2, 10, 10))
    with pytest.raises(ValueError, match="sample 1 has no valid item"):
        model.embed_texts(torch.randn(2, 3, 10), torch.tensor([[True] * 3, [False] * 3]))
