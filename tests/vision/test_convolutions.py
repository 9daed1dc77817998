"""Every convolution that the presets and studies run, on old processors, with checked memory."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from engram.neuron.convolution import Conv2d
from engram.studies.sequence.body import column_body, frame_body
from engram.studies.spike_driven_residuals.network import NETWORKS, Shape
from engram.vision import VisionModel
from engram.vision.presets import PRESETS
from tests.processors import INSTRUCTION_SETS, run_checked
from tests.vision.members import MEMBERS


class Convolution(NamedTuple):
    """A convolution as a model runs it."""

    in_channels: int
    out_channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    groups: int
    bias: bool
    channels_last: bool
    space: tuple[int, ...]

    def build(self, kinds: dict[int, Any], dtype: torch.dtype) -> nn.Module:
        conv = kinds[len(self.kernel)](
            self.in_channels,
            self.out_channels,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            groups=self.groups,
            bias=self.bias,
            dtype=dtype,
        )
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return conv.to(memory_format=layout)


OURS = {1: nn.Conv1d, 2: Conv2d}
TORCHS = {1: nn.Conv1d, 2: nn.Conv2d}


def convolutions(model: nn.Module, x: Tensor) -> set[Convolution]:
    """The convolutions that a model runs on x."""
    found: set[Convolution] = set()

    def note(conv: Any, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        layout = (
            conv.weight.is_contiguous(memory_format=torch.channels_last)
            if (conv.weight.ndim == 4)
            else False
        )
        found.add(
            Convolution(
                *(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride),
                *(conv.padding, conv.groups, conv.bias is not None, layout),
                tuple(inputs[0].shape[2:]),
            )
        )

    hooks = [
        module.register_forward_hook(note)
        for module in model.modules()
        if isinstance(module, (nn.Conv1d, nn.Conv2d))
    ]
    model(x)
    for hook in hooks:
        hook.remove()
    return found


def models(presets: bool) -> Iterator[tuple[nn.Module, Tensor]]:
    """The networks of the tests and studies, and the presets, without memory, and their inputs."""
    sizes: list[tuple[partial[VisionModel], int, int]] = [
        (partial(member.build), 3, member.size) for member in MEMBERS.values()
    ]
    for network in NETWORKS.values():
        for channels, dim, size in ((1, 32, 8), (2, 64, 16), (1, 16, 8)):
            sizes.append((partial(network.make, Shape(10, channels, dim, 2, 4, 4)), channels, size))
    for name, make in PRESETS.items() if presets else ():
        channels, size = (2, 128) if "dvs" in name else (3, 32 if "cifar" in name else 224)
        sizes.append((partial(make), channels, size))
    for build, channels, size in sizes:
        with torch.device("meta"):
            yield build().eval(), torch.empty(2, channels, size, size)


def shapes(presets: bool) -> list[Convolution]:
    """Every convolution of `models`, once, of studies and tests first."""
    found: dict[Convolution, None] = {}
    for model, x in models(presets):
        found |= dict.fromkeys(sorted(convolutions(model, x)))
    with torch.device("meta"):
        for body, x in (
            (column_body((3, 32), 16), torch.empty(2, 3, 32)),
            (frame_body((2, 34, 34), 4), torch.empty(2, 2, 34, 34)),
        ):
            for layer in body.layers:
                found |= dict.fromkeys(sorted(convolutions(layer, x)))
                x = layer(x)  # noqa: PLW2901
    return list(found)


def check(case: Convolution, kinds: dict[int, Any]) -> None:
    """Runs it forward and backward, against the same in double precision and contiguous."""
    torch.manual_seed(0)
    exact = case._replace(channels_last=False).build(TORCHS, torch.float64)
    conv = case.build(kinds, torch.float32)
    conv.load_state_dict(exact.state_dict())
    exact.load_state_dict(conv.state_dict())
    layout = torch.channels_last if case.channels_last else torch.contiguous_format
    x = torch.randn(2, case.in_channels, *case.space).contiguous(memory_format=layout)
    wide = x.double().contiguous().requires_grad_()
    expected = exact(wide)
    weight = torch.randn(expected.shape).contiguous(memory_format=layout)
    wanted = torch.autograd.grad(expected, (wide, *exact.parameters()), weight.double())
    x.requires_grad_()
    for _ in range(2):
        y = conv(x)
        got = torch.autograd.grad(y, (x, *conv.parameters()), weight)
        for a, b in zip((y, *got), (expected, *wanted), strict=True):
            bound = 1e-4 * (1 + b.abs().max().item())
            torch.testing.assert_close(a.double(), b, rtol=0, atol=bound, msg=str(case))


def main(cases: list[Convolution], kinds: dict[int, Any]) -> None:
    torch.set_num_threads(1)
    for case in cases:
        print(json.dumps(case), flush=True)  # noqa: T201
        check(case, kinds)
    print(f"sound: {len(cases)}")  # noqa: T201


def in_a_child(instruction_set: str, which: str, where: Path) -> None:
    with (where / "cases.txt").open("w+") as written:
        done = run_checked(["-m", __name__, which], instruction_set, stdout=written)
        written.seek(0)
        lines = written.read().splitlines()
    assert done.returncode == 0, f"exit status {done.returncode} at {lines[-1:]}"
    assert int(lines[-1].removeprefix("sound: ")) == len(lines) - 1 > 0


SETS = [
    pytest.param(name, marks=() if name == "avx2" else pytest.mark.slow)
    for name in INSTRUCTION_SETS
]


@pytest.mark.parametrize("instruction_set", SETS)
def test_every_convolution_of_tests_and_studies_is_sound(instruction_set: str, tmp_path) -> None:
    in_a_child(instruction_set, "studies", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_every_convolution_of_the_presets_is_sound(instruction_set: str, tmp_path) -> None:
    in_a_child(instruction_set, "presets", tmp_path)


def test_no_model_strides_with_a_kernel_of_one_pixel_by_itself() -> None:
    for model, _ in models(presets=True):
        for module in model.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
                assert isinstance(module, Conv2d)


@pytest.mark.parametrize(
    "settings",
    [
        {"stride": 2},
        {"stride": (3, 1), "bias": False},
        {"stride": 2, "groups": 2},
        {"stride": 2, "padding": 1},
        {"stride": 2, "padding": "valid"},
        {"stride": (1, 2), "padding": 2, "padding_mode": "reflect"},
    ],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_is_torchs_convolution(settings: dict[str, Any], layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    ours = Conv2d(6, 8, 1, **settings).double()
    theirs = nn.Conv2d(6, 8, 1, **settings).double()
    theirs.load_state_dict(ours.state_dict())
    for shape in ((3, 6, 9, 8), (6, 5, 4)):
        x = torch.randn(shape, dtype=torch.float64)
        x = x.contiguous(memory_format=layout) if x.ndim == 4 else x
        results = []
        for conv in (ours, theirs):
            leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
            y = conv(leaf)
            results.append([y, *torch.autograd.grad(y.square().sum(), (leaf, *conv.parameters()))])
        torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)


if __name__ == "__main__":
    if sys.argv[1] == "pointwise":  # torch's own, as docs/processors.md tells
        case = Convolution(2, 4, (1, 1), (2, 2), (0, 0), 1, False, True, (8, 8))
        main([case] * 20, TORCHS)
    else:
        main(shapes(presets=sys.argv[1] == "presets"), OURS)
