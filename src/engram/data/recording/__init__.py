"""Recordings of spikes, from the formats in which they are kept."""

from engram.data.recording.events import Options
from engram.data.recording.read import Recording, read_recording

__all__ = ["Options", "Recording", "read_recording"]
