"""The base of all vision models: a stem, stages along time, and a head on their mean."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from engram.errors import EngramError
from engram.vision.layer import repeat_steps


class Naming(NamedTuple):
    """Names and shapes of a model's weights in published checkpoints.

    Attributes:
        name: Name of the publication.
        key: Maps our name of a weight to theirs; `name[1/3]` is the second of three parts, along
            the first axis, of theirs.
        axes: Number of axes of their weights that do not have four axes, by the end of the name.
        unused: Their unused weights: shapes by name.
        zero: Name endings of weights that they omit because they are 0.
        unfit: Why weights in this naming do not belong to the model although the names fit; empty
            if they do.
    """

    name: str
    key: Callable[[str], str]
    axes: Mapping[str, int] = {}
    unused: Mapping[str, tuple[int, ...]] = {}
    zero: tuple[str, ...] = ()
    unfit: str = ""


class VisionModel(nn.Module, ABC):
    """An image classifier that runs along time.

    A subclass builds `stem` (a layer without time: a static image passes it once) and its
    `stages`, then calls `reset_classifier`. Its `namings` are those of published checkpoints; the
    first is used to save our weights for other code.

    Args:
        steps: T, the number of time steps per image; an artificial network has one.
        in_channels: Channels of the input.
        num_features: Number of channels of the features, which the head reads.
        divisor: Height and width must be multiples of this number.

    Raises:
        ValueError: Steps < 1.
    """

    stem: nn.Module
    head: nn.Module
    num_classes: int
    namings: Sequence[Naming] = ()
    by_step: bool = False
    """Whether the output is the logits of each step, `(time, batch, classes)`, for losses along
    time, instead of their mean."""

    def __init__(
        self, *, steps: int, in_channels: int, num_features: int, divisor: int = 1
    ) -> None:
        super().__init__()
        if steps < 1:
            raise EngramError(
                f"{type(self).__name__}(steps={steps}): steps is the number of time steps per "
                f"image, at least 1"
            )
        self.steps = steps
        self.in_channels = in_channels
        self.num_features = num_features
        self.divisor = divisor

    @abstractmethod
    def stages(self) -> Sequence[nn.Module]:
        """The stages after the stem; each maps `(time, batch, …)` to `(time, batch, …)`."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)`.

        Args:
            x: Images `(batch, channels, height, width)`, shown at every step, or frames
                `(time, batch, channels, height, width)`.

        Raises:
            ValueError: x is not such a batch, or a neuron requires another number of steps.
        """
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """Features of each step, `(time, batch, num_features, height, width)`; see `forward`."""
        x = self._enter(x)
        for stage in self.stages():
            x = stage(x)
        return x

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits of features, from their mean over space and time; that mean if `pre_logits`."""
        pooled = features.mean((3, 4))
        if self.by_step and not pre_logits:
            return self.head(pooled)
        mean = pooled.mean(0)  # the head is linear: the mean of its outputs
        return mean if pre_logits else self.head(mean)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        *,
        stop_early: bool = False,
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Features after the stages in `indices`, each `(time, batch, channels, …)`.

        Args:
            x: As in `forward`.
            indices: Indices of stages, negative ones from the end; an integer selects that many
                last stages, None all.
            stop_early: Run no stage after the last one selected.
            intermediates_only: Return the intermediates alone.

        Returns:
            The features after the last stage that ran, and the intermediates in order of stages.

        Raises:
            ValueError: There is no such stage.
        """
        stages = self.stages()
        chosen = chosen_stages(indices, len(stages))
        if stop_early:
            stages = stages[: max(chosen) + 1]
        x = self._enter(x)
        intermediates = []
        for number, stage in enumerate(stages):
            x = stage(x)
            if number in chosen:
                intermediates.append(x)
        return intermediates if intermediates_only else (x, intermediates)

    def get_classifier(self) -> nn.Module:
        """The head: a linear layer, or the identity if there are no classes."""
        return self.head

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the head; with 0 classes the output is the mean of the features."""
        self.num_classes = num_classes
        if num_classes == 0:
            self.head = nn.Identity()
            return
        like = next(self.stem.parameters())
        head = nn.Linear(self.num_features, num_classes, device=like.device, dtype=like.dtype)
        nn.init.trunc_normal_(head.weight, std=0.02)
        nn.init.zeros_(head.bias)
        self.head = head

    def _enter(self, x: Tensor) -> Tensor:
        """The output of the stem, `(time, batch, …)`."""
        name = type(self).__name__
        if x.ndim not in (4, 5) or not x.is_floating_point():
            raise EngramError(
                f"{name} got a {x.dtype} input of shape {tuple(x.shape)}: give it images "
                "(batch, channels, height, width) or frames (time, batch, channels, height, "
                "width), floating point"
            )
        if x.shape[-3] != self.in_channels:
            raise EngramError(
                f"{name} got {x.shape[-3]} channels and was built for {self.in_channels}: build "
                f"it with in_channels={x.shape[-3]}"
            )
        height, width = x.shape[-2:]
        if height % self.divisor or width % self.divisor or not height * width:
            raise EngramError(
                f"{name} got images of {height} × {width}: it reduces their size by a factor of "
                f"{self.divisor}, so pad or crop them to multiples of {self.divisor}"
            )
        x = self.stem(x)
        return x if x.ndim == 5 else repeat_steps(x, self.steps)


def chosen_stages(indices: int | Sequence[int] | None, count: int) -> set[int]:
    """The selected stages, counted from 0.

    Raises:
        ValueError: There is no such stage.
    """
    if indices is None:
        indices = count
    wanted = range(count - indices, count) if isinstance(indices, int) else indices
    if not wanted or not all(-count <= index < count for index in wanted):
        raise EngramError(
            f"indices {indices!r}: there are {count} stages; name some of 0 … {count - 1}, or how "
            "many of the last ones"
        )
    return {index % count for index in wanted}
