"""The study visual-pathways."""

from engram.studies.visual_pathways.study import VisualPathways

__all__ = ["VisualPathways"]
