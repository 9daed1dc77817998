"""Spiking vision models, and the models that they are compared with."""

from engram.energy import CUSTOMARY, Finding, Verdict, verify
from engram.vision.checkpoint import CheckpointError, Loaded, load_checkpoint, save_checkpoint
from engram.vision.efficientnet_lite import (
    EfficientNetLite0,
    efficientnet_lite0,
)
from engram.vision.export import export_onnx
from engram.vision.integer import fold_to_fixed_point
from engram.vision.layer import ConvBN, MaxPool, fold, paper_lif
from engram.vision.mobilenet import MobileNetV1, mobilenet_v1
from engram.vision.ms_resnet import ms_resnet18, ms_resnet34, ms_resnet104
from engram.vision.network import Naming, VisionModel
from engram.vision.presets import PRESETS
from engram.vision.pretrained import lite0_input, pretrained_lite0
from engram.vision.resnet import ResNet, resnet18, resnet34, resnet50
from engram.vision.sew_resnet import (
    sew_resnet18,
    sew_resnet34,
    sew_resnet50,
    sew_resnet101,
    sew_resnet152,
)
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
from engram.vision.twin import SpikingTwin, TwinRun, spiking_twin

__all__ = [
    "CUSTOMARY",
    "PRESETS",
    "CheckpointError",
    "ConvBN",
    "EfficientNetLite0",
    "Finding",
    "Loaded",
    "MaxPool",
    "MobileNetV1",
    "Naming",
    "ResNet",
    "Spikformer",
    "SpikingTwin",
    "Spikingformer",
    "TwinRun",
    "Verdict",
    "VisionModel",
    "efficientnet_lite0",
    "export_onnx",
    "fold",
    "fold_to_fixed_point",
    "lite0_input",
    "load_checkpoint",
    "mobilenet_v1",
    "ms_resnet18",
    "ms_resnet34",
    "ms_resnet104",
    "paper_lif",
    "pretrained_lite0",
    "resnet18",
    "resnet34",
    "resnet50",
    "save_checkpoint",
    "sew_resnet18",
    "sew_resnet34",
    "sew_resnet50",
    "sew_resnet101",
    "sew_resnet152",
    "spikformer_cifar_2_384",
    "spikformer_cifar_4_256",
    "spikformer_cifar_4_384",
    "spikformer_dvs_2_256",
    "spikformer_imagenet_8_384",
    "spikformer_imagenet_8_512",
    "spikformer_imagenet_8_768",
    "spiking_twin",
    "spikingformer_cifar_2_384",
    "spikingformer_cifar_4_256",
    "spikingformer_cifar_4_384",
    "spikingformer_dvs_2_256",
    "spikingformer_imagenet_8_384",
    "spikingformer_imagenet_8_512",
    "spikingformer_imagenet_8_768",
    "verify",
]
