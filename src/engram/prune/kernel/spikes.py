"""Convolutions of spikes with sparse weights: checks, layouts and launches of the kernels."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from engram.errors import EngramError
from engram.kernel.team import Entry, entry, launch
from engram.prune.kernel.masked import SPAN
from engram.prune.kernel.spikes_cpu import COPIES, WORD, convolve, pack

LEVELS = 8
"""Bits of the largest sum of spikes that is taken apart."""


class SparseWeight(NamedTuple):
    """The weights of a convolution that are not zero, by output.

    Attributes:
        pointers: Where the weights of each output begin, (output + 1), int64.
        indices: Place of each weight in its row, ascending, (weight), uint16 or uint32.
        values: The weights, (weight), float32.
        size: Length of a row: inputs of a group × height × width of the kernel.
    """

    pointers: Tensor
    indices: Tensor
    values: Tensor
    size: int


class Geometry(NamedTuple):
    """How a convolution moves over its input.

    Attributes:
        channels: Input channels.
        groups: Groups.
        kernel: Height and width of the kernel.
        stride: Stride along both.
        padding: Zeros before and behind, along both.
        dilation: Distance of the kernel's points along both.
    """

    channels: int
    groups: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


class _Axis(NamedTuple):
    """One axis of the layout: outputs, places per row or image, residues, and the kernel's."""

    outputs: int
    pitch: int
    residues: int
    places: tuple[int, ...]  # of each point of the kernel, in places
    residue: tuple[int, ...]  # and the residue that it reads


class Layout(NamedTuple):
    """Where the bits of images of one size lie, and where each weight finds its input.

    Attributes:
        rows: Its rows.
        columns: Its columns.
        words: Words of bits per channel and residue.
        blocks: Blocks of outputs.
        per: Words of a window.
        places: Where each weight of a row starts in a window, in bytes, (row), int32.
    """

    rows: _Axis
    columns: _Axis
    words: int
    blocks: int
    per: int
    places: Tensor


def compress(weight: Tensor) -> SparseWeight:
    """Return the weights that are not zero.

    Args:
        weight: `(output, input of a group, height, width)`, float32 on the CPU.
    """
    rows = weight.detach().flatten(1)
    where = rows != 0
    pointers = torch.zeros(len(rows) + 1, dtype=torch.int64)
    pointers[1:] = where.sum(1).cumsum(0)
    indices = where.nonzero()[:, 1]
    small = rows.shape[1] <= 1 << 16
    return SparseWeight(
        pointers, indices.to(torch.uint16 if small else torch.uint32), rows[where], rows.shape[1]
    )


def expand(weight: SparseWeight, shape: torch.Size | tuple[int, ...]) -> Tensor:
    """Return all weights, zeros included, in a shape `(output, …)`."""
    dense = torch.zeros(len(weight.pointers) - 1, weight.size)
    rows = torch.repeat_interleave(torch.arange(len(dense)), weight.pointers.diff())
    dense[rows, weight.indices.long()] = weight.values
    return dense.view(shape)


@lru_cache(maxsize=256)
def layout(geometry: Geometry, images: int, height: int, width: int) -> Layout:
    """Lay out images of a size.

    Args:
        geometry: How the convolution moves.
        images: Number of images.
        height: Height of the input.
        width: Its width.

    Raises:
        EngramError: If the kernel is larger than the padded input.
    """
    moves = zip(*geometry[2:], strict=True)  # of both axes
    rows, columns = (_axis(size, *of) for size, of in zip((height, width), moves, strict=True))
    total = images * rows.pitch * columns.pitch
    blocks = -(-total // SPAN)
    shift = max(rows.places) * columns.pitch + max(columns.places)
    per = -(-(SPAN + shift) // WORD) + 1
    words = (blocks * SPAN) // WORD + per + 1
    residues = rows.residues * columns.residues
    channel = np.arange(geometry.channels // geometry.groups)[:, None, None] * residues
    plane = (
        channel
        + np.array(rows.residue)[:, None] * columns.residues
        + np.array(columns.residue)[None, :]
    )
    bit = np.array(rows.places)[:, None] * columns.pitch + np.array(columns.places)[None, :]
    places = (plane * COPIES + bit % COPIES) * per * 8 + bit // COPIES
    return Layout(
        rows, columns, words, blocks, per, torch.from_numpy(places.astype(np.int32).ravel())
    )


def spike_bits(x: Tensor, geometry: Geometry, made: Layout) -> Tensor | None:
    """Spikes as bits; None if there are other numbers than 0 and 1.

    Args:
        x: `(image, channel, height, width)`, float32 on the CPU, contiguous.
        geometry: How the convolution moves.
        made: The layout of images of this size.

    Returns:
        `(channel · residue, word)`, int64.
    """
    n, c, height, width = x.shape
    ry, rx = made.rows.residues, made.columns.residues
    bits = torch.empty(c * ry * rx, made.words, dtype=torch.int64)
    wrong = torch.empty(c, dtype=torch.int64)
    words = (
        *(x.data_ptr(), bits.data_ptr(), wrong.data_ptr(), n, c, height, width, made.words),
        *(*geometry.stride, *geometry.padding, made.rows.pitch, made.columns.pitch, ry, rx),
    )
    launch(_pack(), c, x.numel(), *words, threads=torch.get_num_threads())
    return None if wrong.any() else bits


def levels_of(x: Tensor) -> list[Tensor] | None:
    """Sums of spikes as one tensor of spikes per binary digit, or None if they are not sums.

    Args:
        x: Any numbers, float32.
    """
    if not x.numel():
        return [x]
    low, high = x.aminmax()
    if not (low >= 0 and high < 1 << LEVELS):
        return None
    whole = x.to(torch.uint8)
    if (whole != x).any():
        return None
    digits = max(int(high).bit_length(), 1)
    return [((whole >> digit) & 1).to(x.dtype) for digit in range(digits)]


def spike_conv(
    x: Tensor, weight: SparseWeight, bias: Tensor, geometry: Geometry, checked: bool = False
) -> Tensor | None:
    """The convolution of spikes, or of sums of spikes, with sparse weights.

    The additions of an output are done in the order of the weights, whatever the number of threads.

    Args:
        x: `(image, channel, height, width)`, float32 on the CPU.
        weight: The weights.
        bias: `(output,)`, float32.
        geometry: How the convolution moves.
        checked: Whether the indices of the weights were checked in an earlier call.

    Returns:
        `(image, output, height, width)`; None if x holds anything but whole numbers of 0 … 255.

    Raises:
        EngramError: If x, the weights and the geometry do not belong together.
    """
    _check(x, weight, bias, geometry, checked)
    x = x.contiguous()
    n, _, height, width = x.shape
    made = layout(geometry, n, height, width)
    bits = spike_bits(x, geometry, made)
    planes = [bits] if bits is not None else []
    if bits is None:
        levels = levels_of(x)
        if levels is None:
            return None
        planes = [spike_bits(level, geometry, made) for level in levels]
    together = planes[0] if len(planes) == 1 else torch.cat(planes)  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert together is not None
    outputs = len(bias)
    y = torch.empty(n, outputs, made.rows.outputs, made.columns.outputs)
    threads = torch.get_num_threads()
    chunks = 1 if made.blocks >= threads else min(threads, outputs)
    some = -(-outputs // chunks)
    pieces = made.blocks * -(-outputs // some)
    channels = geometry.channels * made.rows.residues * made.columns.residues
    tensors = (together, made.places, *weight[:3], bias, y)
    words = (
        *(tensor.data_ptr() for tensor in tensors),
        *(len(planes), n, made.rows.pitch, made.columns.pitch),
        *(channels, channels // geometry.groups, outputs, outputs // geometry.groups),
        *(made.rows.outputs, made.columns.outputs, made.words, made.per, some, weight.size),
    )
    if y.numel():
        work = len(weight.values) * made.blocks * SPAN
        launch(_convolve(weight.indices.dtype), pieces, work, *words, threads=threads)
    return y


def _axis(size: int, kernel: int, stride: int, padding: int, dilation: int) -> _Axis:
    reach = dilation * (kernel - 1)
    outputs = (size + 2 * padding - reach - 1) // stride + 1
    if size + 2 * padding <= reach or outputs < 1:
        raise EngramError(
            f"a kernel that reaches over {reach + 1} points is larger than the padded input of "
            f"{size + 2 * padding}; give larger images"
        )
    pitch = outputs + reach // stride
    if stride == 1 and padding <= reach:
        pitch -= padding  # the zeros behind a row are those before the next
    places = tuple(dilation * k // stride for k in range(kernel))
    residue = tuple(dilation * k % stride for k in range(kernel))
    return _Axis(outputs, pitch, max(residue) + 1, places, residue)


def _check(
    x: Tensor, weight: SparseWeight, bias: Tensor, geometry: Geometry, checked: bool
) -> None:
    if x.ndim != 4 or x.shape[1] != geometry.channels or x.dtype != torch.float32 or not x.is_cpu:
        raise EngramError(
            f"the input is {tuple(x.shape)} of {x.dtype} on {x.device}; give (image, "
            f"{geometry.channels}, height, width) of torch.float32 on the CPU"
        )
    rows = len(weight.pointers) - 1
    size = geometry.channels // geometry.groups * geometry.kernel[0] * geometry.kernel[1]
    count = int(weight.pointers[-1])
    fits = (
        weight.size == size
        and bias.shape == (rows,)
        and rows % geometry.groups == 0
        and weight.indices.shape == weight.values.shape == (count,)
        and weight.pointers.dtype == torch.int64
        and weight.indices.dtype in _INDICES
        and weight.values.dtype == bias.dtype == torch.float32
        and (checked or _inside(weight))
    )
    if not fits:
        raise EngramError(
            f"weights of {rows} rows of {weight.size} with {count} entries and a bias of "
            f"{tuple(bias.shape)} do not fit rows of {size} in {geometry.groups} groups"
        )


def _inside(weight: SparseWeight) -> bool:
    """Whether no pointer and no index leads outside, which the kernel does not check."""
    pointers, indices = weight.pointers, weight.indices
    ordered = int(pointers[0]) == 0 and bool((pointers.diff() >= 0).all())
    return ordered and (not len(indices) or int(indices.to(torch.int64).max()) < weight.size)


_INDICES = {torch.uint16: np.uint16, torch.uint32: np.uint32}


@lru_cache
def _pack() -> Entry:
    return entry(pack())


@lru_cache
def _convolve(dtype: torch.dtype) -> Entry:
    return entry(convolve(_INDICES[dtype]))
