"""Train a model from several seeds: validation chooses the epoch, the test set is used once."""

from engram.studies.model_training.feeds import Feeds
from engram.studies.model_training.firing import firing
from engram.studies.model_training.study import ModelTraining

__all__ = ["Feeds", "ModelTraining", "firing"]
