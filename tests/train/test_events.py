from typing import Any

import numpy as np
import pytest
import tonic.transforms as tonic
import torch

from engram.data import Split
from engram.train import EventFeed

EVENT = np.dtype([("x", np.int64), ("y", np.int64), ("t", np.int64), ("p", np.int64)])
SENSOR, STEPS = (6, 9), 10


def recording(seed: int) -> np.ndarray:
    """400 events from 0 to 1000 µs; apart from the first and the last, none where a bin begins."""
    rng = np.random.default_rng(seed)
    events = np.empty(400, EVENT)
    events["t"] = np.sort(100 * rng.integers(0, 10, 400) + rng.integers(5, 95, 400))
    events["t"][0], events["t"][-1] = 0, 1000
    for name, below in (("x", SENSOR[1]), ("y", SENSOR[0]), ("p", 2)):
        events[name] = rng.integers(0, below, 400)
    return events


SPLIT = Split([recording(seed) for seed in range(7)], np.arange(7) % 3)


@pytest.mark.parametrize("by", ["count", "time"])
def test_recordings_are_binned_as_tonic_does(by):
    feed = EventFeed(SPLIT, SENSOR, STEPS, by)
    rows = torch.tensor([4, 0, 6, 1])
    frames, labels = feed.batch(rows, slice(1, 4), 3)
    assert frames.shape == (STEPS, 3, 2, *SENSOR)
    assert labels.tolist() == [0, 0, 1]
    size = (SENSOR[1], SENSOR[0], 2)
    bins: dict[str, Any] = {f"n_{'event' if by == 'count' else 'time'}_bins": STEPS}
    for ours, row in zip(frames.unbind(1), rows[1:].tolist(), strict=True):
        theirs = tonic.ToFrame(sensor_size=size, **bins)(SPLIT.inputs[row])
        missing = ours.numpy() - theirs
        assert missing.sum() == (by == "time")  # tonic leaves out the last event
        assert np.array_equal(ours.numpy()[:-1], theirs[:-1])


def test_each_recording_is_read_once_by_two_processes():
    feed, rows = EventFeed(SPLIT, SENSOR, STEPS), torch.randperm(7)
    halves = [feed.batch(rows, part, 0) for part in (slice(0, 3), slice(3, 7))]
    whole, labels = feed.batch(rows, slice(None), 0)
    assert torch.equal(torch.cat([x for x, _ in halves], 1), whole)
    assert torch.equal(torch.cat([y for _, y in halves]), labels)
    assert whole.sum() == 7 * 400
