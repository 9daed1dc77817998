from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import layer as sj_layer
from spikingjelly.activation_based import neuron as sj_neuron
from torch import Tensor, nn

from engram.neuron import IF, LIF, PSN, OverTime, reference, stream
from engram.vision import CUSTOMARY, verify
from engram.vision.sew_resnet import sew_resnet
from engram.vision.spikformer import Spikformer
from engram.vision.spikingformer import Spikingformer

SPIKING_SHAPE = (5, 2, 8, 8)


def pictures(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape or SPIKING_SHAPE, generator=torch.Generator().manual_seed(seed))


def awake(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with the statistics of its batch norms settled, so that every layer fires."""
    with torch.no_grad():
        for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.momentum = None
            norm.bias.normal_(0.5, 0.2, generator=torch.Generator().manual_seed(seed))
            norm.weight.fill_(1.0)
        for _ in range(2):
            model.train()(pictures(8, *SPIKING_SHAPE[1:], seed=seed))
    return model.eval()


class Plain(nn.Module):
    """Conv – BN – LIF – (something) – Conv – BN – LIF – head."""

    steps = 4

    def __init__(
        self, between: nn.Module | None = None, neuron: Callable[[], nn.Module] = LIF
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.neuron1, self.neuron2 = neuron(), neuron()
        self.between = between or nn.Identity()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.stem(x)).expand(self.steps, -1, -1, -1, -1)
        x = self.neuron1(x).flatten(0, 1)
        x = self.norm2(self.conv(self.between(x))).unflatten(0, (self.steps, -1))
        return self.head(self.neuron2(x).mean((0, 3, 4)))


def transformer(family: type) -> nn.Module:
    torch.manual_seed(0)
    model = family(1, 32, 4, num_classes=5, in_channels=2, pools=(4,))
    return awake(model)


def test_spikingformer_passes_with_the_customary_exceptions():
    verdict = verify(transformer(Spikingformer), [pictures(), pictures(seed=1)], allow=CUSTOMARY)
    assert verdict, str(verdict)
    assert not verdict.silent
    assert not verdict.unused
    assert {one.operation: one.kinds for one in verdict.allowed} == {
        "stem.0.conv/convolution": "real × weight",
        "blocks.0.attention/matmul.2": "integer × binary",
        "head/matmul": "real × weight",
    }
    assert verdict.alone == 4
    assert str(verdict).startswith("Spike-driven.\nExcepted: stem.0.conv/convolution: real")


def test_without_exceptions_it_does_not():
    verdict = verify(transformer(Spikingformer), [pictures()])
    assert not verdict
    assert len(verdict.offences) == 3
    shares = [one.share for one in verdict.offences]
    assert all(0 < share < 1 for share in shares)
    assert sum(shares) < 1


def test_spikformer_fails_because_its_residuals_add_spikes():
    verdict = verify(transformer(Spikformer), [pictures()], allow=CUSTOMARY)
    assert not verdict
    offences = {one.operation: one for one in verdict.offences}
    assert {one.kinds for one in offences.values()} == {"integer × weight"}
    assert {name.rsplit(".", 1)[0] for name in offences} == {
        "blocks.0.attention.q",
        "blocks.0.attention.k",
        "blocks.0.attention.v",
        "blocks.0.mlp.conv1",
    }
    assert "integers up to 2" in offences["blocks.0.attention.q.conv/convolution"].why


@pytest.mark.parametrize("connection", ["ADD", "AND", "IAND"])
def test_adding_spikes_offends_and_gating_them_does_not(connection):
    torch.manual_seed(0)
    net = sew_resnet(18, 5, 4, connection=connection, in_channels=2, width=4, small_images=True)
    verdict = verify(awake(net), [pictures()], allow=CUSTOMARY)
    assert bool(verdict) == (connection != "ADD"), str(verdict)
    assert {one.kinds for one in verdict.offences} <= {"integer × weight"}
    assert {one.operation for one in verdict.allowed} == {"stem.conv/convolution", "head/matmul"}
    assert verdict.unused == ("*.attention/matmul.2",)


BROKEN = {
    "an average pooling": (nn.AvgPool2d(3, 1, 1), "real numbers"),
    "nothing": (nn.MaxPool2d(3, 1, 1), ""),
    "a norm before the convolution": (nn.BatchNorm2d(4), "real numbers"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_model_broken_on_purpose_is_caught(name):
    between, why = BROKEN[name]
    torch.manual_seed(0)
    verdict = verify(awake(Plain(between)), [pictures()], allow=CUSTOMARY)
    assert bool(verdict) == (not why)
    assert all(one.operation == "conv/convolution" for one in verdict.offences)
    assert all(why in one.why for one in verdict.offences)


def test_half_a_spike_is_no_spike():
    class Half(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / 2

    torch.manual_seed(0)
    (offence,) = verify(awake(Plain(Half())), [pictures()], allow=CUSTOMARY).offences
    assert offence.kinds == "real × weight"
    assert "0 and 0.5" in offence.why


def test_spikes_in_most_batches_only_are_caught():
    class Doubles(nn.Module):
        """Adds spikes where the picture is bright."""

        def forward(self, x: Tensor) -> Tensor:
            return x + x if x.mean() > 0.6 else x

    torch.manual_seed(0)
    model: Any = awake(Plain(Doubles()))
    batches = [pictures(seed=seed) for seed in range(3)]
    assert verify(model, batches, allow=CUSTOMARY)
    bright = 5 + 0 * batches[0]
    with torch.no_grad():
        model.norm1.bias.fill_(0.3)
        model.norm1.running_mean.zero_()
        model.stem.weight.abs_()
    verdict = verify(model, [*(-x.abs() for x in batches), bright], allow=CUSTOMARY)
    (offence,) = verdict.offences
    assert "spikes in 3 of 4 calls" in offence.why


class Leaky(nn.Module):
    """Confuses time with the batch, as two published models do: the membrane runs along it."""

    def __init__(self) -> None:
        super().__init__()
        self.neuron = LIF(threshold=0.6)

    def forward(self, x: Tensor) -> Tensor:
        return self.neuron(x)


def test_a_membrane_that_runs_along_the_batch_is_caught():
    torch.manual_seed(0)
    model = awake(Plain(Leaky()))
    verdict = verify(model, [3 * pictures()], allow=CUSTOMARY)
    assert not verdict
    assert not verdict.offences
    assert verdict.leaks
    assert set(verdict.leaks) <= {0, 1, 2, 3}
    assert "the batch leaks" in str(verdict)


def test_a_batch_of_one_cannot_tell():
    torch.manual_seed(0)
    verdict = verify(awake(Plain(Leaky())), [pictures(1, 2, 8, 8)], allow=CUSTOMARY)
    assert verdict.alone == 0
    assert "Not tested for leaks" in str(verdict)


def test_state_that_is_not_reset_is_caught():
    torch.manual_seed(0)
    model = awake(Plain())
    assert verify(model, [pictures()], allow=CUSTOMARY).repeatable
    with stream(model):
        verdict = verify(model, [pictures()], allow=CUSTOMARY)
    assert not verdict.repeatable
    assert not verdict
    assert "state is not reset" in str(verdict)


@pytest.mark.parametrize("plainly", [False, True])
def test_a_neurons_own_matrix_is_not_judged_but_counted(plainly):
    torch.manual_seed(0)
    model = awake(Plain(neuron=lambda: PSN(4)))
    if plainly:
        with reference():
            verdict = verify(model, [pictures()], allow=CUSTOMARY)
    else:
        verdict = verify(model, [pictures()], allow=CUSTOMARY)
    assert verdict, str(verdict)
    assert len(verdict.count.dynamics) == 2
    assert {one.path for one in verdict.count.dynamics} == {"neuron1", "neuron2"}


def test_networks_of_another_package_are_judged_alike():
    class Theirs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = sj_layer.Conv2d(2, 4, 3, padding=1, step_mode="m")
            self.neuron = sj_neuron.LIFNode(step_mode="m")
            self.conv = sj_layer.Conv2d(4, 4, 3, step_mode="m")
            self.head = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            self.neuron.reset()
            x = self.neuron(4 * self.stem(x.expand(4, *x.shape)))
            return self.head(self.conv(x).mean((0, 3, 4)))

    torch.manual_seed(0)
    neurons = (sj_neuron.BaseNode,)
    verdict = verify(Theirs(), [pictures()], allow=CUSTOMARY, neurons=neurons)
    assert verdict, str(verdict)
    assert verdict.count.activations[0].path == "neuron"
    assert verdict.count.operations[1].kinds == "binary × weight"


def test_a_silent_layer_is_told():
    torch.manual_seed(0)
    model = Plain()
    with torch.no_grad():
        model.norm1.bias.fill_(-10)
    verdict = verify(model.eval(), [pictures()], allow=CUSTOMARY)
    assert "conv/convolution" in verdict.silent
    assert "Silent, therefore not judged: conv/convolution" in str(verdict)


def test_operators_out_of_sight_are_no_pass():
    @torch.library.custom_op("engram_test::convolve", mutates_args=())
    def convolve(x: Tensor) -> Tensor:
        return 2 * x

    class Hidden(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (convolve(x) > 0).float()

    torch.manual_seed(0)
    verdict = verify(awake(Plain(Hidden())), [pictures()], allow=CUSTOMARY)
    assert not verdict
    assert "Not observed: engram_test::convolve" in str(verdict)


def test_the_allow_list_takes_modules_and_operations():
    torch.manual_seed(0)
    model = awake(Plain())
    assert verify(model, [pictures()], allow=["stem", "head"])
    verdict = verify(model, [pictures()], allow=["stem/*", "heads"])
    assert [one.operation for one in verdict.offences] == ["head/matmul"]
    assert verdict.unused == ("heads",)


def test_a_batch_that_is_not_finite_is_named():
    x = pictures()
    x[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="batch 2 holds 1 values that are NaN"):
        verify(Plain(), [pictures(), x])


def test_an_output_that_is_not_finite_is_named():
    model = Plain()
    with torch.no_grad():
        model.head.bias[0] = float("nan")
    with pytest.raises(ValueError, match="the model returns NaN"):
        verify(model, [pictures()])


def test_a_convolution_by_hand_is_judged_like_one():
    class ByHand(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            windows = nn.functional.unfold(nn.functional.avg_pool2d(x, 3, 1, 1), 3, padding=1)
            kept = (windows[:, None] * torch.ones(4, 36, 1)).sum(2)
            return (kept > 9).float().unflatten(2, (8, 8))

    torch.manual_seed(0)
    verdict = verify(awake(Plain(ByHand())), [pictures()], allow=CUSTOMARY)
    assert [(one.operation, one.kinds) for one in verdict.offences] == [
        ("between/outer", "real × weight")
    ]


def test_a_verdict_leaves_the_model_as_it_was():
    torch.manual_seed(0)
    model = Plain().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    verify(model, [pictures()])
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert next(model.parameters()).dtype == torch.float32


class Sequential(nn.Module):
    """Layers over `(time, batch, …)`, and what becomes of their output."""

    def __init__(self, finish: Callable[[Tensor], Any], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.finish = finish

    def forward(self, x: Tensor) -> Any:
        return self.finish(self.layers(x))


def over_frames(finish: Callable[[Tensor], Any]) -> nn.Module:
    torch.manual_seed(0)
    convolution, head = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(144, 3)
    with torch.no_grad():
        convolution.weight.mul_(4)
        head.weight.mul_(4)
        head.bias.fill_(0.7)
    layers = (OverTime(convolution), IF(), OverTime(nn.Flatten()), head, IF())
    return Sequential(finish, *layers)


def over_features(finish: Callable[[Tensor], Any] = lambda y: y) -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Linear(6, 8), IF(), nn.Linear(8, 4), IF())
    with torch.no_grad():
        for layer in (layers[0], layers[2]):
            layer.bias.fill_(0.4)
    return Sequential(finish, *layers)


def binary(*shape: int) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) > 0.6).float()


@dataclass
class Output:
    logits: Tensor
    loss: Tensor


FINISHES: dict[str, Callable[[Tensor], Any]] = {
    "time first": lambda y: y,
    "batch first": lambda y: y.transpose(0, 1),
    "mean over time": lambda y: y.mean(0),
    "folded": lambda y: y.flatten(0, 1),
    "folded, batch outside": lambda y: y.transpose(0, 1).flatten(0, 1),
    "dictionary": lambda y: {"logits": y.mean(0), "spikes": y, "aux": None},
    "nested": lambda y: (y, [y.mean(0), {"loss": y.mean()}], 3),
    "dataclass": lambda y: Output(y.mean(0), y.mean()),
    "classes": lambda y: y.mean(0).argmax(-1),
}


@pytest.mark.parametrize("finish", FINISHES.values(), ids=FINISHES.keys())
def test_sound_networks_are_not_accused_whatever_their_output_is(finish):
    verdict = verify(over_frames(finish), [binary(5, 4, 2, 6, 6)])
    assert verdict, str(verdict)
    assert verdict.alone == 4


@pytest.mark.parametrize("finish", [FINISHES[name] for name in FINISHES if name != "classes"])
def test_a_leak_shows_in_whatever_output(finish):
    def leaking(y: Tensor) -> Any:
        return finish(y + (y.mean(1, keepdim=True) > 0.4).float())

    assert verify(over_frames(leaking), [binary(5, 4, 2, 6, 6)]).leaks


def test_sequences_state_their_layout():
    x = binary(5, 4, 6)
    options: dict[str, Any]
    for options in ({"layout": "time-first"}, {"batch_axis": 1}):
        verdict = verify(over_features(), [x], **options)
        assert verdict, str(verdict)
        assert verdict.alone == 4
    for options in ({}, {"layout": "batch-first"}):
        with pytest.raises(ValueError, match=r"State layout='time-first'.*leaks from one"):
            verify(over_features(), [x], **options)


def test_batch_first_sequences_pass():
    class BatchFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = over_features()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.transpose(0, 1)).transpose(0, 1)

    assert verify(BatchFirst(), [binary(4, 5, 6)], layout="batch-first").alone == 4
    with pytest.raises(ValueError, match="State layout='batch-first'"):
        verify(BatchFirst(), [binary(4, 5, 6)], layout="time-first")


@pytest.mark.parametrize(
    ("finish", "x", "why"),
    [
        (lambda y: y, binary(5, 1, 2, 6, 6), "the first batch has one sample"),
        (lambda y: y.mean(), binary(5, 4, 2, 6, 6), "no axis of the output counts the samples"),
        (lambda y: y.reshape(5, 4, 3), binary(5, 4, 2, 6, 6), "does not run on one sample"),
    ],
)
def test_why_no_leak_could_show_is_told(finish, x, why):
    verdict = verify(over_frames(finish), [x])
    assert verdict
    assert not verdict.alone
    assert why in verdict.untested
    assert f"Not tested for leaks: {verdict.untested}" in str(verdict)


def test_an_output_without_a_tensor_is_refused():
    with pytest.raises(ValueError, match="returns no tensor"):
        verify(over_frames(lambda y: None), [binary(5, 4, 2, 6, 6)])


def test_products_in_the_fourier_domain_are_no_pass():
    class FourierMixer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron = LIF()
            self.filter = nn.Parameter(torch.ones(5, dtype=torch.cfloat))

        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.irfft(torch.fft.rfft(self.neuron(3 * x)) * self.filter).mean(0)

    verdict = verify(FourierMixer(), [binary(4, 3, 8)], batch_axis=1)
    assert not verdict
    assert "Not observed: aten::_fft_r2c" in str(verdict)
    assert [one.operation for one in verdict.offences] == ["the network/product"]


def test_frozen_norms_stay_frozen():
    model = Plain().train()
    model.norm2.eval()
    verify(model, [pictures()])
    assert model.norm1.training
    assert not model.norm2.training
