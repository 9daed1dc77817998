"""Every preset by name."""

from collections.abc import Callable

from engram.vision import (
    efficientnet_lite,
    mobilenet,
    ms_resnet,
    resnet,
    sew_resnet,
    spikformer,
    spikingformer,
)
from engram.vision.network import VisionModel

PRESETS: dict[str, Callable[..., VisionModel]] = {
    "spikingformer_cifar_4_256": spikingformer.spikingformer_cifar_4_256,
    "spikingformer_cifar_2_384": spikingformer.spikingformer_cifar_2_384,
    "spikingformer_cifar_4_384": spikingformer.spikingformer_cifar_4_384,
    "spikingformer_imagenet_8_384": spikingformer.spikingformer_imagenet_8_384,
    "spikingformer_imagenet_8_512": spikingformer.spikingformer_imagenet_8_512,
    "spikingformer_imagenet_8_768": spikingformer.spikingformer_imagenet_8_768,
    "spikingformer_dvs_2_256": spikingformer.spikingformer_dvs_2_256,
    "spikformer_cifar_4_256": spikformer.spikformer_cifar_4_256,
    "spikformer_cifar_2_384": spikformer.spikformer_cifar_2_384,
    "spikformer_cifar_4_384": spikformer.spikformer_cifar_4_384,
    "spikformer_imagenet_8_384": spikformer.spikformer_imagenet_8_384,
    "spikformer_imagenet_8_512": spikformer.spikformer_imagenet_8_512,
    "spikformer_imagenet_8_768": spikformer.spikformer_imagenet_8_768,
    "spikformer_dvs_2_256": spikformer.spikformer_dvs_2_256,
    "sew_resnet18": sew_resnet.sew_resnet18,
    "sew_resnet34": sew_resnet.sew_resnet34,
    "sew_resnet50": sew_resnet.sew_resnet50,
    "sew_resnet101": sew_resnet.sew_resnet101,
    "sew_resnet152": sew_resnet.sew_resnet152,
    "ms_resnet18": ms_resnet.ms_resnet18,
    "ms_resnet34": ms_resnet.ms_resnet34,
    "ms_resnet104": ms_resnet.ms_resnet104,
    "resnet18": resnet.resnet18,
    "resnet34": resnet.resnet34,
    "resnet50": resnet.resnet50,
    "mobilenet_v1": mobilenet.mobilenet_v1,
    "efficientnet_lite0": efficientnet_lite.efficientnet_lite0,
}
