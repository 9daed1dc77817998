"""Load and save weights, ours and published ones, as safetensors or torch files."""

from collections.abc import Iterable, Mapping
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

import safetensors.torch
import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.vision.container import (
    COUNTERS,
    Candidate,
    CheckpointError,
    State,
    candidates,
    check_values,
    plain_name,
    plain_state,
    read,
    unread,
)
from engram.vision.network import Naming, VisionModel
from engram.vision.presets import PRESETS

OURS = Naming("engram", str)
SHOWN = 4
"""Maximum number of keys of each kind named in an error."""
NEAR = 0.5
"""Minimum share of the weights that a suggested preset must have."""


class Loaded(NamedTuple):
    """The result of loading a checkpoint.

    Attributes:
        naming: The naming of its weights.
        dropped: Its unused content: weights by name, and whole state dicts by key.
        taken: Location of the weights in the file: their keys and the prefix of their names,
            joined by dots; empty for the top level.
    """

    naming: str
    dropped: tuple[str, ...]
    taken: str = ""


class Match(NamedTuple):
    """How a state dict fits a model.

    Attributes:
        candidate: The state dict.
        naming: The naming that fits best.
        taken: The model's weights by its own names.
        differing: Why other weights are not among them, by name.
        given: Names that are not weights of the model.
        unused: Names of the publication that are unused.
    """

    candidate: Candidate
    naming: Naming
    taken: State
    differing: dict[str, str]
    given: list[str]
    unused: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether every weight is present and none is left over."""
        return not (self.differing or self.given)


def load_checkpoint(
    model: nn.Module,
    source: str | PathLike[str] | Mapping[str, Any],
    *,
    weights: Literal["raw", "ema"] | None = None,
) -> Loaded:
    """Load the weights of a checkpoint in our naming or one of the published namings.

    Files are read as tensors only: nothing in them is executed. The state dict may be under any
    key, and its names may have a common prefix and parts added by wrappers; the one that fits the
    model is used.

    Args:
        model: The model, of the checkpoint's architecture; may be compiled or wrapped.
        source: A `.safetensors` file, a file by `torch.save`, or the content of such a file.
        weights: Which weights to use if a file has trained and averaged ones: "raw" for the
            trained ones, "ema" for their average, as distinguished by their keys. None uses the
            only ones, or the trained ones of both.

    Raises:
        CheckpointError: The file is not a checkpoint, or one of another model, and the message
            names the differing weights; or several state dicts fit, and the message names them.
    """
    if weights not in (None, "raw", "ema"):
        raise CheckpointError(f"weights={weights!r}: choose 'raw', 'ema' or None")
    inner = vision_model(model)
    if not isinstance(source, str | PathLike | Mapping):
        raise CheckpointError(
            f"the checkpoint is a {type(source).__name__}: give a path or a state dict, such as "
            "model.state_dict()"
        )
    content = source if isinstance(source, Mapping) else read(Path(source))
    own = inner.state_dict()
    required = sum(not counts_batches(key) for key in own)
    found = candidates(content, required)
    matches = [match(inner, own, one) for one in found]
    best = choose([one for one in matches if one.fits], weights)
    if best is None:
        best = max(matches, key=lambda one: len(one.taken) - len(one.given))
        raise CheckpointError(explain(inner, best))
    if best.naming.unfit:
        raise CheckpointError(f"the checkpoint is {best.naming.name}'s: {best.naming.unfit}")
    check_values(best.taken)
    inner.load_state_dict(best.taken)
    dropped = (*best.unused, *unread(content, best.candidate))
    return Loaded(best.naming.name, dropped, best.candidate.where)


def choose(fitting: list[Match], weights: str | None) -> Match | None:
    """Choose among the state dicts that fit; None if none does.

    Raises:
        CheckpointError: The file has none of the requested kind, or several.
    """
    if not fitting:
        return None
    raw = [one for one in fitting if not one.candidate.averaged]
    averaged = [one for one in fitting if one.candidate.averaged]
    wanted = averaged if weights == "ema" else raw if weights == "raw" else raw or averaged
    if not wanted:
        names = ", ".join(repr(one.candidate.where or "the top") for one in fitting)
        raise CheckpointError(f"the checkpoint has no {weights} weights, only {names}")
    first = wanted[0]
    others = [one for one in wanted[1:] if not equal(first.taken, one.taken)]
    if others:
        names = ", ".join(repr(one.candidate.where or "the top") for one in (first, *others))
        raise CheckpointError(
            f"several state dicts of the checkpoint fit, with different weights: {names}. Give "
            "load_checkpoint the one you want"
        )
    return first


def equal(a: State, b: State) -> bool:
    """Whether two states have the same values."""
    return all(torch.equal(a[key], b[key]) for key in a)


def vision_model(model: nn.Module) -> VisionModel:
    """Return the vision model inside compilation, averaging or parallel wrappers.

    Raises:
        ValueError: There is none.
    """
    for module in model.modules():
        if isinstance(module, VisionModel):
            return module
    raise EngramError(
        f"a {type(model).__name__} contains no model of engram.vision: use torch's load_state_dict "
        "and torch.save for it"
    )


def counts_batches(key: str) -> bool:
    """Whether a weight is the counter of a batch norm, which old versions of torch lack."""
    return key.endswith("num_batches_tracked")


def match(model: VisionModel, own: State, candidate: Candidate) -> Match:
    """Match a state dict to a model, in the naming that fits best."""
    namings = (*model.namings, OURS)
    plain = [plain_name(key) for key in own]
    state = candidate.state

    def named(naming: Naming) -> int:
        return sum(base_of(naming.key(key))[0] in state for key in plain)

    naming = max(namings, key=named)
    unused = {key for other in namings for key in other.unused}
    skipped = tuple(key for key in state if key in unused or key.split(".")[-1] in COUNTERS)
    left = {key for key in state if key not in skipped}
    taken: State = {}
    differing: dict[str, str] = {}
    for key, value in own.items():
        name = naming.key(plain_name(key))
        base, place, parts = base_of(name)
        published = state.get(base)
        left.discard(base)
        if published is not None and parts > 1 and published.ndim:
            chunks = published.chunk(parts)
            published = chunks[place] if len(chunks) == parts else None
        if published is None:
            if counts_batches(key):
                taken[key] = value
            elif base.endswith(naming.zero):
                taken[key] = torch.zeros_like(value)
            else:
                differing[key] = f"no {base}"
        elif squeezed(published) != squeezed(value):
            shapes = f"{tuple(published.shape)}, not {tuple(value.shape)}"
            differing[key] = f"{base} of shape {shapes}"
        elif published.is_meta or published.is_complex() or published.layout is not torch.strided:
            differing[key] = f"{base} without plain real values"
        elif value.is_floating_point() and not published.is_floating_point():
            differing[key] = f"{base} as {published.dtype}, whose scale is not known"
        else:
            taken[key] = published.reshape(value.shape)
    given = [key for key in state if key in left]
    return Match(candidate, naming, taken, differing, given, skipped)


def base_of(name: str) -> tuple[str, int, int]:
    """The published name of a weight, the index of the part that it is, and the number of parts.

    A naming marks a part of a published weight, along its first axis, as `name[place/parts]`.
    """
    base, bracket, part = name.partition("[")
    if not bracket:
        return name, 0, 1
    place, _, parts = part.removesuffix("]").partition("/")
    return base, int(place), int(parts)


def save_checkpoint(
    model: nn.Module, path: str | PathLike[str], *, published: bool = False
) -> None:
    """Save a model's weights, as `.safetensors` if the path has that suffix, else by torch.

    The names are plain, without parts added by wrappers.

    Args:
        model: The model; may be compiled or wrapped.
        path: Path of the file.
        published: Use the names and shapes of the published code, so that it can read the file,
            and add its unused weights: layer norms with initial values.

    Raises:
        ValueError: No code is published for this model, or it is not a model of engram.vision.
    """
    inner = vision_model(model)
    if published and not inner.namings:
        raise EngramError(f"{type(inner).__name__} has no published names: leave published=False")
    state = publish(inner, inner.namings[0] if published else OURS)
    state = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    if Path(path).suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save({"state_dict": state}, path)


def publish(model: VisionModel, naming: Naming) -> State:
    """The state of a model in the names and shapes of a publication."""
    state: State = {}
    for key, value in plain_state(model.state_dict()).items():
        name, place, _ = base_of(naming.key(key))
        if name.endswith(naming.zero):
            continue
        if place:
            state[name] = torch.cat([state[name], value]) if value.ndim else value
            continue
        axes = [count for end, count in naming.axes.items() if name.endswith(end)]
        state[name] = value.reshape(value.shape[: axes[0]]) if axes else value
    for name, shape in naming.unused.items():
        state[name] = torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
    return state


def explain_classes(model: VisionModel, bias: Tensor | None) -> str:
    """Error message for a checkpoint that differs only in its head."""
    classes = 0 if bias is None else len(bias)
    return (
        f"the checkpoint has {classes} classes and the {type(model).__name__} "
        f"{model.num_classes}: build it with num_classes={classes}, load, and call "
        "reset_classifier for a new head"
    )


def explain(model: VisionModel, found: Match) -> str:
    """Error message for a checkpoint that does not fit, with its nearest preset."""
    state = found.candidate.state
    bias = state.get(found.naming.key("head.bias"))
    if (
        not found.given
        and found.differing.keys() <= {"head.weight", "head.bias"}
        and (bias is None or len(bias) != model.num_classes)
    ):
        return explain_classes(model, bias)
    where = f" under {found.candidate.where!r}" if found.candidate.where else ""
    differing = listed(list(found.differing.values()))
    unexpected = f"unexpected {listed(found.given)}" if found.given else ""
    name, share = nearest_preset(state)
    near = (
        f"Its nearest preset is {name}, which has {share:.0%} of its weights"
        if share >= NEAR
        else "No preset has half of its weights"
    )
    return (
        f"the checkpoint{where} is not of this {type(model).__name__}: "
        f"{'; '.join(filter(None, (differing, unexpected)))}. {near}"
    )


def listed(lines: list[str]) -> str:
    """The first few entries, and the number of others."""
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return ", ".join(lines[:SHOWN]) + more


def nearest_preset(state: State) -> tuple[str, float]:
    """The preset with the most of these weights, by name and shape, and their share."""
    given = {(key, squeezed(value)) for key, value in state.items()}
    shares = {
        name: max(len(given & published) for published in namings) / len(given)
        for name, namings in preset_shapes().items()
    }
    best = max(shares, key=lambda name: shares[name])
    return best, shares[best]


@cache
def preset_shapes() -> dict[str, list[set[tuple[str, tuple[int, ...]]]]]:
    """The names and shapes in files of each preset, by its name, in each naming."""
    held = {}
    for name, build in PRESETS.items():
        with torch.device("meta"):
            model = build()
            held[name] = [set(shapes(model, naming)) for naming in (*model.namings, OURS)]
    return held


def shapes(model: VisionModel, naming: Naming) -> Iterable[tuple[str, tuple[int, ...]]]:
    """All names with shapes in a file of this model in this naming."""
    return ((key, squeezed(value)) for key, value in publish(model, naming).items())


def squeezed(value: Tensor) -> tuple[int, ...]:
    """The shape without the axes of size 1, in which linear layers and convolutions differ."""
    return tuple(size for size in value.shape if size != 1)
