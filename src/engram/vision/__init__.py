"""Vision models that spike, and those they are compared with."""

from engram.vision.checkpoint import CheckpointError, Loaded, load_checkpoint, save_checkpoint
from engram.vision.export import export_onnx
from engram.vision.layer import ConvBN, MaxPool, fold, paper_lif
from engram.vision.network import Naming, VisionModel
from engram.vision.presets import PRESETS
from engram.vision.spikformer import (
    Spikformer,
    spikformer_cifar_2_384,
    spikformer_cifar_4_256,
    spikformer_cifar_4_384,
    spikformer_dvs_2_256,
    spikformer_imagenet_8_384,
    spikformer_imagenet_8_512,
    spikformer_imagenet_8_768,
)
from engram.vision.spikingformer import (
    Spikingformer,
    spikingformer_cifar_2_384,
    spikingformer_cifar_4_256,
    spikingformer_cifar_4_384,
    spikingformer_dvs_2_256,
    spikingformer_imagenet_8_384,
    spikingformer_imagenet_8_512,
    spikingformer_imagenet_8_768,
)

__all__ = [
    "PRESETS",
    "CheckpointError",
    "ConvBN",
    "Loaded",
    "MaxPool",
    "Naming",
    "Spikformer",
    "Spikingformer",
    "VisionModel",
    "export_onnx",
    "fold",
    "load_checkpoint",
    "paper_lif",
    "save_checkpoint",
    "spikformer_cifar_2_384",
    "spikformer_cifar_4_256",
    "spikformer_cifar_4_384",
    "spikformer_dvs_2_256",
    "spikformer_imagenet_8_384",
    "spikformer_imagenet_8_512",
    "spikformer_imagenet_8_768",
    "spikingformer_cifar_2_384",
    "spikingformer_cifar_4_256",
    "spikingformer_cifar_4_384",
    "spikingformer_dvs_2_256",
    "spikingformer_imagenet_8_384",
    "spikingformer_imagenet_8_512",
    "spikingformer_imagenet_8_768",
]
