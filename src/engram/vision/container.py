"""The content of a weights file: its state dicts, with their keys and name prefixes."""

import argparse
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from engram.errors import EngramError

State = dict[str, Tensor]

WRAPPERS = frozenset(
    {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_fpw_module"}
)
"""Parts added to names by DataParallel, torch.compile, FSDP, activation checkpointing and
AveragedModel."""
COUNTERS = ("n_averaged",)
"""Tensors that a wrapper stores in addition to the weights."""
AVERAGES = ("ema", "averag", "avg", "swa", "shadow")
"""Prefixes of words that name averaged weights."""
DEPTH = 4
"""Maximum nesting of state dicts in a file, and maximum number of parts of a common prefix."""


class CheckpointError(EngramError):
    """A checkpoint does not fit the model, or is not a checkpoint."""


class Candidate(NamedTuple):
    """A state dict of a file.

    Attributes:
        where: Its keys and the prefix of its names, joined by dots.
        state: Its tensors by plain name: no prefix, no wrapper.
        beside: Tensors of the same mapping without the prefix.
    """

    where: str
    state: State
    beside: tuple[str, ...]

    @property
    def averaged(self) -> bool:
        """Whether it is an average of weights, by its name or by its counter of averages."""
        words = re.split("[^a-z]+", self.where.lower())
        return any(word.startswith(AVERAGES) for word in words) or any(
            key.split(".")[-1] in COUNTERS for key in (*self.state, *self.beside)
        )


def read(path: Path) -> Mapping[str, Any]:
    """Read the content of a file; nothing in it is executed.

    Raises:
        CheckpointError: The file does not exist, cannot be read, is empty or damaged, or contains
            more than tensors and plain values.
    """
    if path.is_dir():
        raise CheckpointError(f"{path} is a directory: name a checkpoint in it")
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file: name a checkpoint")
    try:
        if not path.stat().st_size:
            raise CheckpointError(
                f"{path} is empty, as after an interrupted download: fetch it again"
            )
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        check_archive(path)
        with torch.serialization.safe_globals([argparse.Namespace]):  # additional content of timm
            return torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except PermissionError as error:
        raise CheckpointError(f"{path} may not be read: change its permissions") from error
    except Exception as error:  # a damaged pickle may raise any exception
        first = str(error).strip().partition("\n")[0].partition(". ")[0]
        reason = first or type(error).__name__
        raise CheckpointError(
            f"{path} holds no weights that can be read without executing what is in it: save its "
            f"state dict alone ({reason})"
        ) from error


def check_archive(path: Path) -> None:
    """Raise CheckpointError if a checksum of an archive is wrong: torch does not check them."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.CRC:  # written without a checksum, or empty
                continue
            try:
                with archive.open(entry) as file:
                    while file.read(1 << 20):
                        pass
            except zipfile.BadZipFile as error:
                raise CheckpointError(
                    f"{path} is damaged, its checksum is wrong: fetch it again ({error})"
                ) from error


def check_values(state: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError if weights are not finite, or a variance is negative."""
    for key, value in state.items():
        if value.is_floating_point() and not value.isfinite().all():
            bad = int((~value.isfinite()).sum())
            raise CheckpointError(
                f"{key} holds {bad} values that are NaN or infinite among {value.numel()}: the "
                "training diverged, or the file is damaged"
            )
        if key.endswith("running_var") and (value < 0).any():
            raise CheckpointError(
                f"{key} holds a negative variance, {value.min().item():g}: the file is damaged"
            )


def plain_name(key: str) -> str:
    """Remove the parts of a name that wrappers add."""
    return ".".join(part for part in key.split(".") if part not in WRAPPERS)


def plain_state(tensors: Mapping[str, Tensor]) -> State:
    """Tensors by plain name.

    Raises:
        CheckpointError: Two names differ only by wrappers.
    """
    state: State = {}
    origin: dict[str, str] = {}
    for key, value in tensors.items():
        name = plain_name(key) or key
        if name in state:
            raise CheckpointError(
                f"the checkpoint holds both {origin[name]!r} and {key!r}: remove one of them"
            )
        state[name], origin[name] = value, key
    return state


def containers(content: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, State]]:
    """The mappings of a file that contain tensors by name, with their keys."""
    if not isinstance(content, Mapping) or depth > DEPTH:
        return
    named = {key: value for key, value in content.items() if isinstance(key, str)}
    tensors = {key: value for key, value in named.items() if isinstance(value, Tensor)}
    if tensors:
        yield path, tensors
    for key, value in named.items():
        yield from containers(value, f"{path}.{key}" if path else key, depth + 1)


def candidates(content: Any, required: int) -> list[Candidate]:
    """Find the state dicts in a file.

    Args:
        content: The content of the file.
        required: Number of tensors that the model needs; names with a common prefix form a
            separate state dict if there are at least as many.

    Raises:
        CheckpointError: The file holds no tensors by name.
    """
    found = []
    for path, tensors in containers(content):
        found.append(Candidate(path, plain_state(tensors), ()))
        for prefix in common_prefixes(tensors, required):
            own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            beside = tuple(key for key in tensors if not key.startswith(prefix))
            where = ".".join(filter(None, (path, plain_name(prefix.removesuffix(".")))))
            found.append(Candidate(where, plain_state(own), beside))
    if not found:
        raise CheckpointError(
            "the checkpoint holds no tensors by name, neither at the top nor under a key such as "
            "state_dict or model: give it a state dict"
        )
    return found


def common_prefixes(state: Mapping[str, Tensor], required: int) -> list[str]:
    """Prefixes, up to a dot, shared by at least the required number of names."""
    counted: Counter[str] = Counter()
    for key in state:
        parts = key.split(".")[:-1]
        counted.update(".".join(parts[: n + 1]) + "." for n in range(min(DEPTH, len(parts))))
    return [prefix for prefix, number in counted.items() if number >= required > 0]


def unread(content: Any, taken: Candidate) -> tuple[str, ...]:
    """The content of a file other than the state dict used: state dicts and single tensors.

    Names that share their first part are summarised by it.
    """
    left: list[str] = []
    for path, tensors in containers(content):
        if _holds(tensors, taken):
            left += taken.beside
        elif path and not taken.where.startswith(path + "."):
            left.append(path)
        else:
            left += tensors
    parts = Counter(key.split(".")[0] for key in left)
    shared = {key: key.split(".")[0] for key in left if parts[key.split(".")[0]] > 1}
    return tuple(dict.fromkeys(f"{shared[key]}.*" if key in shared else key for key in left))


def _holds(tensors: Mapping[str, Tensor], taken: Candidate) -> bool:
    """Whether these are the tensors from which a state dict was taken."""
    some = next(iter(taken.state.values()))
    return any(value is some for value in tensors.values())
