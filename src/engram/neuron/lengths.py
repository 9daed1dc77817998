"""Sequences of different lengths in one batch, padded at the end without effect on results.

A causal neuron's padded steps cannot change its earlier spikes. It remains to silence them
(`mask_steps`), to read out each sequence up to its own end (`mean_over_time`, `last_step`), and to
exclude them from the statistics of a batch norm (`pack_steps`, `unpack_steps`).
"""

import torch
from jaxtyping import Bool, Float, Integer, Shaped
from torch import Tensor

from engram.errors import EngramError
from engram.neuron.functional import state_dtype


def valid_steps(
    lengths: Integer[Tensor, " batch"], T: int, *, device: torch.device | None = None
) -> Bool[Tensor, "T batch"]:
    """Mask of the real steps: t < length.

    Args:
        lengths: The steps of each sequence, 1 … T; on the CPU they can be checked without waiting
            for another device.
        T: The steps of the padded batch.
        device: Device of the result; by default that of the lengths.

    Raises:
        ValueError: The lengths are not integers, not one a sequence, or outside 1 … T.
    """
    _check_tensor(lengths)
    kinds = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
    if lengths.ndim != 1 or lengths.dtype not in kinds:
        raise EngramError(
            f"lengths have shape {tuple(lengths.shape)} and dtype {lengths.dtype}: give one "
            f"integer per sequence, such as torch.tensor([5, 3])"
        )
    # a compiled graph cannot branch on values
    if not torch.compiler.is_compiling() and ((lengths < 1) | (lengths > T)).any():
        raise EngramError(
            f"lengths {lengths.tolist()} of a batch padded to {T} steps: each must lie in 1 … {T}; "
            "drop empty sequences and pad to the longest"
        )
    return torch.arange(T, device=device or lengths.device)[:, None] < lengths.to(device)


def mask_steps(
    x: Shaped[Tensor, "time batch *features"], lengths: Integer[Tensor, " batch"]
) -> Shaped[Tensor, "time batch *features"]:
    """Set the padded steps to zero, so that neither values nor gradients leak from them.

    Args:
        x: A padded batch: currents, spikes or any other sequence.
        lengths: The steps of each sequence.

    Raises:
        ValueError: The lengths do not fit the batch.
    """
    real = _valid(x, lengths)
    return x.masked_fill(~real.reshape(*real.shape, *[1] * (x.ndim - 2)), 0)


def mean_over_time(
    x: Float[Tensor, "time batch *features"], lengths: Integer[Tensor, " batch"]
) -> Float[Tensor, "batch *features"]:
    """The mean of each sequence over its own steps: the firing rate, if x are spikes.

    Args:
        x: A padded batch.
        lengths: The steps of each sequence.

    Raises:
        ValueError: The lengths do not fit the batch.
    """
    _check_tensor(lengths)
    total = mask_steps(x, lengths).sum(0, dtype=state_dtype(x))
    return (total / lengths.to(total).reshape(-1, *[1] * (total.ndim - 1))).to(x.dtype)


def last_step(
    x: Shaped[Tensor, "time batch *features"], lengths: Integer[Tensor, " batch"]
) -> Shaped[Tensor, "batch *features"]:
    """The last step of each sequence, x[length − 1].

    Args:
        x: A padded batch.
        lengths: The steps of each sequence.

    Raises:
        ValueError: The lengths do not fit the batch.
    """
    _valid(x, lengths)
    return x[lengths.to(x.device, torch.long) - 1, torch.arange(x.shape[1], device=x.device)]


def pack_steps(
    x: Shaped[Tensor, "time batch *features"], lengths: Integer[Tensor, " batch"]
) -> Shaped[Tensor, "steps *features"]:
    """Pack the real steps, step by step, for layers without time.

    A batch norm or convolution between `pack_steps` and `unpack_steps` works on real steps only.

    Args:
        x: A padded batch.
        lengths: The steps of each sequence.

    Returns:
        One row per real step.

    Raises:
        ValueError: The lengths do not fit the batch.
    """
    return x[_valid(x, lengths)]


def unpack_steps(
    packed: Shaped[Tensor, "steps *features"], lengths: Integer[Tensor, " batch"], T: int
) -> Shaped[Tensor, "T batch *features"]:
    """The inverse of `pack_steps`: the padded batch, with zero padding.

    Args:
        packed: The real steps, in the order of `pack_steps`; the features may have changed.
        lengths: The steps of each sequence.
        T: The steps of the padded batch.

    Raises:
        ValueError: The lengths do not lie in 1 … T or do not add up to the rows.
    """
    real = valid_steps(lengths, T, device=packed.device)
    if not torch.compiler.is_compiling() and int(lengths.sum()) != packed.shape[0]:
        raise EngramError(
            f"{packed.shape[0]} packed steps for lengths {lengths.tolist()}, which add up to "
            f"{int(lengths.sum())}: unpack with the lengths that packed them"
        )
    padded = packed.new_zeros(*real.shape, *packed.shape[1:])
    return padded.index_put(real.nonzero(as_tuple=True), packed)


def _check_tensor(lengths: object) -> None:
    if not isinstance(lengths, Tensor):
        raise EngramError(
            f"lengths are a {type(lengths).__name__}: give a tensor with one integer per "
            f"sequence, such as torch.tensor([5, 3])"
        )


def _valid(x: Tensor, lengths: Tensor) -> Tensor:
    if x.ndim < 1:
        raise EngramError(
            "input of shape () with lengths: give it (time, batch, *features), padded at the end"
        )
    real = valid_steps(lengths, x.shape[0], device=x.device)
    if x.ndim < 2 or x.shape[1] != lengths.shape[0]:
        raise EngramError(
            f"{lengths.shape[0]} lengths for input of shape {tuple(x.shape)}: give one length per "
            f"sequence of the batch, the second axis"
        )
    return real
