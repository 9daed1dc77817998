"""Recordings of an event camera as a feed of frames."""

from typing import final

import numpy as np
import torch
from torch import Tensor

from engram.data import Split, event_frames
from engram.data.frames import SplitBy


@final
class EventFeed:
    """Recordings as numbers of events per bin, `(time, batch, 2, height, width)` float32.

    Args:
        split: Recordings with the fields t, x, y and p, and their labels.
        sensor: (height, width) in pixels.
        steps: Number of bins of a recording.
        by: "time" for bins of equal duration, "count" for bins of equal numbers of events.
    """

    def __init__(
        self, split: Split, sensor: tuple[int, int], steps: int, by: SplitBy = "time"
    ) -> None:
        self.inputs, self.labels = split.inputs, torch.from_numpy(split.labels)
        self.sensor, self.steps = sensor, steps
        self.by: SplitBy = by

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, rows: Tensor, part: slice, epoch: int) -> tuple[Tensor, Tensor]:
        """Return part of a batch; see `Feed`."""
        rows = rows[part]
        frames = [
            event_frames(self.inputs[row], self.sensor, T=self.steps, by=self.by)
            for row in rows.tolist()
        ]
        return torch.from_numpy(np.stack(frames, 1)), self.labels[rows]
