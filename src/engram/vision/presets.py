"""Every preset by name."""

from collections.abc import Callable

from engram.vision import spikformer, spikingformer
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
}
