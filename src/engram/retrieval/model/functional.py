"""The mathematics of the style transformer, pure: attention, style, gates and units in use."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def attend(
    q: Float[Tensor, "batch query width"],
    k: Float[Tensor, "batch item width"],
    v: Float[Tensor, "batch item width"],
    valid: Bool[Tensor, "batch item"],
    heads: int,
) -> Float[Tensor, "batch query width"]:
    """Multi-head attention, softmax(q kᵀ / √d) v in each head, over the valid items only.

    Args:
        q: Queries.
        k: Keys.
        v: Values.
        valid: Which items exist; the others are padding. At least one of each sample.
        heads: Number of heads, which divides the width.

    Returns:
        The mean values, weighted by the attention.
    """
    split = [x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v)]
    found = F.scaled_dot_product_attention(*split, attn_mask=valid[:, None, None, :])
    return found.transpose(1, 2).flatten(2)


def style(
    x: Float[Tensor, "batch item width"],
    energy: Float[Tensor, "batch item"],
    valid: Bool[Tensor, "batch item"],
) -> Float[Tensor, "batch width"]:
    """Style embedding of a stage: s = Σ_i softmax_i(energy) x_i over the valid items.

    Args:
        x: Items.
        energy: Energy of each item.
        valid: Which items exist.

    Returns:
        The style embedding.
    """
    weights = energy.masked_fill(~valid, -torch.inf).softmax(-1)
    return torch.einsum("bi,biw->bw", weights, x)


def mix(
    gate: Float[Tensor, "*shape"], old: Float[Tensor, "*shape"], new: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Gated update: g ⊙ new + (1 − g) ⊙ old, a leaky integrator with a rate of its own.

    Args:
        gate: Share g of the new value, in [0, 1].
        old: Value so far.
        new: Value that enters.

    Returns:
        The updated value.
    """
    return torch.lerp(old, new, gate)


def use_of_units(
    pooled: Float[Tensor, "batch width"],
    units: Float[Tensor, "unit width"],
    sharpness: float = 10.0,
) -> Float[Tensor, "batch unit"]:
    """How much each unit of common knowledge is used: softmax(sharpness · cos(pooled, unit)).

    Args:
        pooled: A vector per sample.
        units: The units.
        sharpness: Factor of the cosines.

    Returns:
        Shares that sum to 1 over the units.
    """
    cosines = F.normalize(pooled, dim=-1) @ F.normalize(units, dim=-1).T
    return (sharpness * cosines).softmax(-1)


def pool_sorted(
    x: Float[Tensor, "batch item width"],
    valid: Bool[Tensor, "batch item"],
    weights: Float[Tensor, "batch item"],
) -> Float[Tensor, "batch width"]:
    """Generalised pooling: Σ_k θ_k max_k(x), where max_k is the k-th largest value of a feature.

    Args:
        x: Items.
        valid: Which items exist.
        weights: θ, zero beyond the number of valid items of a sample.

    Returns:
        The pooled features.

    References:
        Chen, Hu, Wu, Jiang, Wang (2021), Learning the best pooling strategy for visual semantic
        embedding, CVPR, arXiv 2011.04305, equation 2.
    """
    ranked = x.masked_fill(~valid[..., None], -torch.inf).sort(dim=1, descending=True).values
    ranked = ranked.masked_fill(torch.isneginf(ranked), 0.0)
    return torch.einsum("bi,biw->bw", weights, ranked)
