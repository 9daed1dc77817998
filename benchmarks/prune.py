"""What pruning costs in training, and what sparse weights gain at inference.

    ENGRAM_DATA=DIR python -m benchmarks.prune      writes docs/results/prune-HARDWARE.json

MS-ResNet-18 on 32 × 32 images, T = 4, is pruned to 95 % while it trains on CIFAR-10 for a few
steps: enough for weights and firing rates that belong together, not for accuracy. All contenders
run on the trained weights, take turns and use two threads. Training steps are those of a ResNet-18.
"""

import copy
import statistics
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import harness
from engram import data
from engram.prune import (
    LayerChoice,
    Plan,
    Pruning,
    SparseSpikeConv,
    bake,
    sparse_layers,
)
from engram.prune.runtime import layer_inputs
from engram.report.provenance import versions
from engram.train import attach
from engram.vision import export_onnx, fold, fold_to_fixed_point, resnet18
from engram.vision.ms_resnet import ms_resnet18

THREADS, STEPS, SPARSITY = 2, 4, 0.95
TAUGHT, BATCH = 20, 16
"""Steps of the training that prunes, and their images."""


@cache
def examples() -> data.Split:
    """The training images of CIFAR-10."""
    return data.load("cifar10").train


def pictures(n: int, first: int = 0) -> tuple[Tensor, Tensor]:
    """Normalised images of CIFAR-10, and their labels."""
    split = examples()
    images = torch.from_numpy(np.stack(list(split.inputs[first : first + n]))).float() / 255
    if images.shape[-1] == 3:
        images = images.permute(0, 3, 1, 2)
    labels = torch.from_numpy(np.asarray(split.labels[first : first + n])).long()
    return ((images - 0.47) / 0.25).contiguous(), labels


def pruned_network() -> nn.Module:
    """MS-ResNet-18 whose convolutions are pruned while it trains."""
    torch.manual_seed(0)
    model = ms_resnet18(10, STEPS, small_images=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    plan = Plan(sparsity=SPARSITY, schedule="cubic", exclude=("stem", "head"))
    attach(Pruning(model, plan, TAUGHT), optimizer)
    for i in range(TAUGHT):
        images, labels = pictures(BATCH, i * BATCH)
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return bake(model).eval()


def run(model: Callable[[Tensor], Any], x: Tensor, bf16: bool = False) -> None:
    """One pass."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        model(x)


def contenders(model: Any, x: Tensor, folder: Path) -> dict[str, Callable[[], Any]]:
    """Ways to run the pruned network."""
    import onnxruntime

    folded = fold(model)
    sparse, _ = sparse_layers(folded, x)
    path = folder / "model.onnx"
    export_onnx(model, path, torch.zeros(2, *x.shape[1:]))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x.numpy()}
    compiled = torch.compile(copy.deepcopy(folded))
    return {
        "sparse layers": partial(run, sparse, x),
        "dense": partial(run, folded, x),
        "dense, fixed point": partial(run, fold_to_fixed_point(model), x),
        "dense, bf16": partial(run, folded, x, True),
        "dense, torch.compile": partial(run, compiled, x),
        "dense, ONNX Runtime": lambda: session.run(None, feed),
    }


def inference(model: nn.Module, batch: int, rounds: int) -> list[harness.Result]:
    """Time the contenders on a batch."""
    x, _ = pictures(batch, 40_000)
    with tempfile.TemporaryDirectory() as folder:
        calls = contenders(model, x, Path(folder))
        times = harness.interleave(calls, rounds)
    group = f"inference batch={batch}"
    first = statistics.median(times["sparse layers"])
    for name, seen in times.items():
        print(group, name, f"{1e3 * statistics.median(seen):.2f} ms,", end=" ")
        print(f"{statistics.median(seen) / first:.2f} × the sparse layers", flush=True)
    return [harness.entry("prune", group, f"{name}, {group}", seen) for name, seen in times.items()]


def layers(model: nn.Module, batch: int) -> list[dict[str, Any]]:
    """What each layer takes, dense, sparse, and as a product of SciPy's CSR matrix."""
    x, _ = pictures(batch, 40_000)
    folded = fold(model)  # pyright: ignore[reportArgumentType]
    received = layer_inputs(folded, x)
    _, choices = sparse_layers(folded, x)
    return [row(choice, folded.get_submodule(choice.name), received) for choice in choices]


def row(choice: LayerChoice, layer: nn.Module, received: dict[str, Tensor]) -> dict[str, Any]:
    """A layer's times, its sparsity and the rate of its input."""
    found = choice._asdict()
    if not (choice.taken and choice.dense_s and choice.sparse_s and isinstance(layer, nn.Conv2d)):
        return found
    x = received[choice.name]
    columns = F.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # pyright: ignore[reportArgumentType]
    flat = columns.transpose(0, 1).flatten(1).contiguous().numpy()
    matrix = csr_array(layer.weight.detach().flatten(1).numpy())
    (times,) = harness.interleave({"csr": lambda: matrix @ flat}, 3).values()
    found |= {"csr_s": statistics.median(times), "rate": float(x.mean()), "input": list(x.shape)}
    print(choice.name, f"{choice.dense_s / choice.sparse_s:.1f} × dense,", end=" ")
    print(f"{found['csr_s'] / choice.sparse_s:.0f} × CSR without its unfolding", flush=True)
    return found


def sizes(model: nn.Module) -> dict[str, int]:
    """Bytes of the weights of convolutions that are pruned, dense and sparse, in a file."""
    dense, sparse = {}, {}
    for name, layer in fold(model).named_modules():  # pyright: ignore[reportArgumentType]
        if isinstance(layer, nn.Conv2d) and float((layer.weight == 0).float().mean()) > 0.5:
            dense |= {f"{name}.{k}": v.contiguous() for k, v in layer.state_dict().items()}
            made = SparseSpikeConv.from_dense(layer)
            sparse |= {f"{name}.{k}": v for k, v in made.state_dict().items()}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, tensors in (("dense", dense), ("sparse", sparse)):
            path = Path(folder) / f"{kind}.safetensors"
            save_file(tensors, path)
            found[f"{kind}_bytes"] = path.stat().st_size
    print(found)
    return found


def training(batch: int, rounds: int) -> list[harness.Result]:
    """A training step of a ResNet-18 with and without pruning."""
    x, labels = pictures(batch)
    calls = {}
    for name in ("dense", "pruned"):
        torch.manual_seed(0)
        model = resnet18(10, small_images=True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        if name == "pruned":
            attach(Pruning(model, Plan(strength=1e-4), 10_000), optimizer)

        def step(model: nn.Module = model, optimizer: torch.optim.Optimizer = optimizer) -> None:
            optimizer.zero_grad()
            F.cross_entropy(model(x), labels).backward()
            optimizer.step()

        calls[name] = step
    times = harness.interleave(calls, rounds, warm=False)
    ratios = [b / a for a, b in zip(times["dense"], times["pruned"], strict=True)]
    print(f"training batch={batch}: {statistics.median(ratios):.3f} × dense", flush=True)
    ratio, group = statistics.median(ratios), f"training batch={batch}"
    return [
        harness.entry("prune", group, f"{name}, {group}", seen, ratio=ratio)
        for name, seen in times.items()
    ]


def main() -> None:
    """Measure, print, and write."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(THREADS)
    model = pruned_network()
    entries = [one for batch in (1, 32) for one in inference(model, batch, asked.rounds)]
    entries += [one for batch in (32, 128) for one in training(batch, max(3, asked.rounds // 2))]
    found = {f"layers batch={batch}": layers(model, batch) for batch in (1, 32)}
    facts = harness.machine()
    names = ("engram", "numba", "numpy", "torch", "scipy", "onnxruntime")
    packages = {k: v for k, v in versions().items() if k in names}
    path = asked.out or harness.RESULTS / harness.file_name("prune", facts)
    harness.write(path, harness.result(facts, packages, entries, layers=found, sizes=sizes(model)))


if __name__ == "__main__":
    main()
