"""A model as ONNX: standard operators only, the steps unrolled."""

from os import PathLike

import torch
from torch import Tensor

from engram.neuron import reference
from engram.vision.layer import fold
from engram.vision.network import VisionModel


def export_onnx(model: VisionModel, path: str | PathLike[str], sample: Tensor) -> None:
    """Writes a model for inference to an ONNX file, its batch norms folded.

    The file takes `images` of the sample's shape with any number of them, or frames where the
    sample is frames, and gives `logits`. Needs `pip install "engram[onnx]"`.

    Args:
        model: The model; it stays as it is.
        path: Where to.
        sample: An input as in `VisionModel.forward`, of at least two images.

    Raises:
        ValueError: The onnx packages are missing, or the sample is a single image.
    """
    check_packages()
    axis = sample.ndim - 4
    if axis not in (0, 1) or sample.shape[axis] < 2:
        raise ValueError(
            f"export_onnx got a sample of shape {tuple(sample.shape)}: give it a batch of two or "
            "more images, from which the batch is known to be free"
        )
    batch = {axis: torch.export.Dim.DYNAMIC}
    with torch.no_grad(), reference():
        torch.onnx.export(
            fold(model),
            (sample,),
            path,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=(batch,),
            dynamo=True,
            verbose=False,
        )


def check_packages() -> None:
    """Raises ValueError unless the packages that write ONNX are installed."""
    try:
        import onnx  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise ValueError(
            f"writing ONNX needs {error.name}, which is not installed: "
            '`pip install "engram[onnx]"` brings it'
        ) from error
