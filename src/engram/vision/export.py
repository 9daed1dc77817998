"""Export a model to ONNX, with standard operators only and its time steps unrolled."""

import math
from collections.abc import Callable
from os import PathLike
from typing import Any

import torch
from torch import Tensor

from engram.errors import EngramError
from engram.neuron import IF, LIF, Neuron, ParametricLIF, reference
from engram.neuron.backend import kernels_translated
from engram.neuron.kernel.lif import lif_operator
from engram.vision.layer import fold
from engram.vision.network import VisionModel


def export_onnx(model: VisionModel, path: str | PathLike[str], sample: Tensor) -> None:
    """Write a model for inference to an ONNX file, with folded batch norms.

    The file takes `images` of the sample's shape, any number of them (or frames, if the sample is
    frames), and returns `logits`. Needs `pip install "engram[onnx]"`.

    Args:
        model: The model, which is not changed.
        path: Path of the file.
        sample: An input as in `VisionModel.forward`, of at least two images.

    Raises:
        ValueError: The onnx packages are missing, the sample is a single image, the model or the
            sample is in bfloat16, or a layer of the model cannot be written as ONNX.
    """
    check_packages()
    check_dtypes(model, sample)
    axis = sample.ndim - 4
    if axis not in (0, 1) or sample.shape[axis] < 2:
        raise EngramError(
            f"export_onnx got a sample of shape {tuple(sample.shape)}: give it a batch of two or "
            "more images, which leaves the size of the batch open"
        )
    folded = fold(model)
    neurons = [module for module in folded.modules() if isinstance(module, Neuron)]
    stepped = all(isinstance(neuron, (IF, LIF, ParametricLIF)) for neuron in neurons)
    with torch.no_grad(), kernels_translated() if stepped else reference():
        try:
            torch.onnx.export(
                folded,
                (sample,),
                path,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({axis: torch.export.Dim.DYNAMIC},),
                custom_translation_table={lif_operator._opoverload: lif_nodes()},
                dynamo=True,
                optimize=False,  # done by the runtimes
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            kinds = ", ".join(sorted({type(neuron).__name__ for neuron in neurons}))
            raise EngramError(
                f"{type(model).__name__} with {kinds or 'no neurons'} cannot be written as ONNX "
                f"for batches of any size ({root_of(error)}): replace the layer that is named"
            ) from error


def check_dtypes(model: torch.nn.Module, sample: Tensor) -> None:
    """Raise ValueError if runtimes could not read the exported file."""
    held = [*model.parameters(), *model.buffers(), sample]
    # a scalar, such as λ of a MaskedPSN, is promoted to the dtype of the other operand
    wanted = {x.dtype for x in held if x.is_floating_point() and x.ndim}
    if torch.bfloat16 in wanted:
        raise EngramError(
            "export_onnx got bfloat16, in which ONNX runtimes lack most operators: export "
            "model.float() with a float32 sample"
        )
    if len(wanted) > 1:
        names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in wanted))
        raise EngramError(
            f"export_onnx got {names} together: convert the model and the sample to one dtype"
        )


def root_of(error: BaseException) -> str:
    """The message of the innermost cause of an error, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())[:300]


def check_packages() -> None:
    """Raise ValueError unless the packages for writing ONNX are installed."""
    try:
        import onnx  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise EngramError(
            f"writing ONNX needs {error.name}, which is not installed: "
            '`pip install "engram[onnx]"` installs it'
        ) from error


def lif_nodes() -> Callable[..., Any]:
    """Translation of `functional.lif` to ONNX nodes, fewer and faster than those from tracing."""
    from onnxscript import opset18  # noqa: PLC0415

    op: Any = opset18  # returns nodes, unlike its type annotations

    def lif(
        x: Any,
        voltage: Any,
        leak: Any,
        tau: float,
        threshold: float,
        reset: float | None,
        decay_input: bool,
        detach_reset: bool,
        shape: int,
        scale: float,
        width: float,
    ) -> Any:
        del detach_reset, shape, scale, width  # only the gradient needs them

        def number(value: float) -> Any:
            return op.CastLike(op.Constant(value_float=value), x)

        def decayed(drift: Any) -> Any:
            return op.Mul(drift, leak) if leak is not None else op.Div(drift, number(tau))

        rest, v_th = number(reset or 0.0), number(threshold)
        v = rest if voltage is None else voltage
        spikes = []
        for t in range(x.shape[0]):
            x_t = op.Gather(x, op.Constant(value_int=t), axis=0)
            if leak is None and math.isinf(tau) and not decay_input:
                h = op.Add(v, x_t)
            elif decay_input:
                h = op.Add(v, decayed(op.Sub(x_t, op.Sub(v, rest))))
            else:
                h = op.Add(op.Sub(v, decayed(op.Sub(v, rest))), x_t)
            fires = op.GreaterOrEqual(h, v_th)
            s = op.CastLike(fires, x)
            v = op.Sub(h, op.Mul(s, v_th)) if reset is None else op.Where(fires, rest, h)
            spikes.append(op.Unsqueeze(s, op.Constant(value_ints=[0])))
        return op.Concat(*spikes, axis=0), v

    return lif
