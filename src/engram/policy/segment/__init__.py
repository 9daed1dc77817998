"""Segments: the files that hold the documents of a store and their index, written and read."""

from engram.policy.segment.file import BLOCK, SegmentCounts, blocks, connect, write
from engram.policy.segment.opened import OpenSegment

__all__ = ["BLOCK", "OpenSegment", "SegmentCounts", "blocks", "connect", "write"]
