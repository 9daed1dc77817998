"""Training: examples, images and their augmentation, and the training engine."""

from engram.train.agreement import FirstDifference, SpikeLog, first_difference
from engram.train.augment import Augmentation
from engram.train.average import Average
from engram.train.conduct import Conduct, Outcome
from engram.train.distributed import LostProcessError, Processes, processes
from engram.train.engine import Engine, Step
from engram.train.evaluation import evaluate
from engram.train.events import EventFeed
from engram.train.examples import (
    Augment,
    Collate,
    Examples,
    Padded,
    batches,
    pad,
    time_first,
)
from engram.train.feed import ExampleFeed, Feed
from engram.train.fit import History, fit, predict, rehearse
from engram.train.hooks import StepHook, attach
from engram.train.images import ImageAugment, ImageFeed, Normal
from engram.train.loop import train
from engram.train.loss import distillation, temporal_efficient
from engram.train.norm import synchronise
from engram.train.optimise import make_optimizer, parameter_groups
from engram.train.pictures import Pictures, as_batch, load_images, read_pictures
from engram.train.precision import choose_precision
from engram.train.rates import cosine, schedule
from engram.train.recipe import Recipe
from engram.train.shard import shard
from engram.train.watch import Log, Metrics, tensorboard

__all__ = [
    "Augment",
    "Augmentation",
    "Average",
    "Collate",
    "Conduct",
    "Engine",
    "EventFeed",
    "ExampleFeed",
    "Examples",
    "Feed",
    "FirstDifference",
    "History",
    "ImageAugment",
    "ImageFeed",
    "Log",
    "LostProcessError",
    "Metrics",
    "Normal",
    "Outcome",
    "Padded",
    "Pictures",
    "Processes",
    "Recipe",
    "SpikeLog",
    "Step",
    "StepHook",
    "as_batch",
    "attach",
    "batches",
    "choose_precision",
    "cosine",
    "distillation",
    "evaluate",
    "first_difference",
    "fit",
    "load_images",
    "make_optimizer",
    "pad",
    "parameter_groups",
    "predict",
    "processes",
    "read_pictures",
    "rehearse",
    "schedule",
    "shard",
    "synchronise",
    "temporal_efficient",
    "tensorboard",
    "time_first",
    "train",
]
