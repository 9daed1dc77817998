"""The compiled LIF family against the reference in plain torch, and in the ways it is used."""

import math
import multiprocessing
import threading
import warnings

import pytest
import torch
from torch import Tensor

from engram.device import threads
from engram.kernel import team
from engram.neuron import (
    IF,
    LIF,
    ATan,
    Erf,
    FastSigmoid,
    Neuron,
    ParametricLIF,
    Rectangle,
    Sigmoid,
    Surrogate,
    Triangle,
    backend,
    reference,
)
from engram.neuron import functional as F
from engram.neuron.kernel.lif import lif as compiled_lif
from engram.neuron.kernel.lif import lif_operator
from engram.neuron.kernel.shape import shape_of

pytestmark = pytest.mark.skipif(backend() != "numba", reason="Numba is not installed")

# every kind of charge, decay, reset, detachment and surrogate, each pair of them at least once
FORMS = [
    ("if", False, 0.0, False, ATan()),
    ("if", False, None, True, Sigmoid()),
    ("if", False, -0.3, False, Erf()),
    ("lif", True, 0.0, True, Triangle()),
    ("lif", True, None, False, Rectangle()),
    ("lif", True, -0.3, True, FastSigmoid()),
    ("lif", False, 0.0, False, Erf()),
    ("lif", False, None, True, ATan()),
    ("lif", False, -0.3, False, Sigmoid()),
    ("plif", True, 0.0, False, FastSigmoid()),
    ("plif", True, None, True, Erf()),
    ("plif", False, -0.3, False, Triangle()),
    ("plif", False, 0.0, True, Rectangle()),
]
IDS = [f"{kind}-{decays}-{reset}-{detach}-{s}" for kind, decays, reset, detach, s in FORMS]


def results(
    x: Tensor, voltage: Tensor | None, kind: str, decays: bool, compiled: bool, **settings
) -> list[Tensor]:
    """Spikes, the membrane, and the gradients of everything, from one of the two."""
    leak = torch.tensor(0.43, dtype=F.state_dtype(x), requires_grad=True)
    leaves = [x.detach().requires_grad_()]
    if voltage is not None:
        leaves.append(voltage.detach().requires_grad_())
    state = None if voltage is None else F.LIFState(leaves[1])

    spikes, after = (compiled_lif if compiled else F.lif)(
        leaves[0],
        state,
        tau={"if": math.inf, "lif": 1.7, "plif": math.inf}[kind],
        leak=leak if kind == "plif" else None,
        decay_input=decays,
        threshold=0.9,
        **settings,
    )
    leaves += [leak] if kind == "plif" else []
    generator = torch.Generator().manual_seed(7)
    weights = [
        torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y.dtype)
        for y in (spikes, after.voltage)
    ]
    loss = (spikes * weights[0]).sum() + (after.voltage * weights[1]).sum()
    return [spikes, after.voltage, *torch.autograd.grad(loss, leaves)]


@pytest.mark.parametrize(("kind", "decays", "reset", "detach", "surrogate"), FORMS, ids=IDS)
def test_equals_the_reference(
    kind: str, decays: bool, reset: float | None, detach: bool, surrogate: Surrogate
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(11, 3, 77, generator=generator) + 0.4
    voltage = torch.rand(3, 77, generator=generator) * 0.8
    settings = {"reset": reset, "detach_reset": detach, "surrogate": surrogate}
    ours = results(x, voltage, kind, decays, True, **settings)
    exact = results(x, voltage, kind, decays, False, **settings)
    assert torch.equal(ours[0], exact[0])
    assert torch.equal(ours[1], exact[1])
    double = results(x.double(), voltage.double(), kind, decays, False, **settings)
    # the gradient of float32, where its spikes are those of float64
    if torch.equal(ours[0].double(), double[0]):
        torch.testing.assert_close([g.double() for g in ours[2:]], double[2:], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours[2:], exact[2:], rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("kind", ["lif", "plif"])
def test_equals_the_reference_in_float64(kind: str) -> None:
    x = torch.randn(9, 50, dtype=torch.float64) + 0.4
    settings = {"reset": 0.0, "detach_reset": False, "surrogate": Sigmoid()}
    ours = results(x, None, kind, True, True, **settings)
    exact = results(x, None, kind, True, False, **settings)
    assert torch.equal(ours[0], exact[0])
    torch.testing.assert_close(ours, exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("neuron", [LIF(), IF(threshold=1.0)])
def test_equal_at_the_edge_of_float32(neuron: Neuron) -> None:
    tiny, eps = 1.4e-45, 2.0**-23
    edge = [1.0, 1.0 - eps / 2, 1.0 + eps, 2.0, 2.0 - eps, 0.0, -0.0, tiny, -tiny, 1e-38, 3.4e38]
    edge += [-3.4e38, math.inf, -math.inf, math.nan]
    x = torch.tensor(edge).repeat(6, 1)
    x[3:] = x[3:].roll(4, 1)
    spikes, state = neuron.run(x)
    with reference():
        expected, after = neuron.run(x)
    assert torch.equal(spikes, expected)
    assert torch.equal(state.voltage.isnan(), after.voltage.isnan())
    assert torch.equal(state.voltage.nan_to_num(), after.voltage.nan_to_num())


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x,
        lambda x: x.permute(0, 1, 3, 4, 2),
        lambda x: x[:, ::2],
        lambda x: x[::2],
        lambda x: x.transpose(0, 1),
        lambda x: x[:, :1].expand_as(x),
        lambda x: x[:1].expand_as(x),
        lambda x: x.flip(2)[..., 1:],
    ],
)
def test_strides_change_nothing(view) -> None:
    x = view(torch.randn(6, 6, 3, 4, 5) + 0.5)
    assert not x.requires_grad
    neuron = LIF()
    leaf, plain = x.clone().requires_grad_(), x.contiguous().clone().requires_grad_()
    strided = view(torch.empty(6, 6, 3, 4, 5)).copy_(x) if x.stride()[0] and x.stride()[1] else x
    assert torch.equal(neuron(strided), neuron(x.contiguous()))
    weight = torch.randn(x.shape)
    (neuron(leaf) * weight).sum().backward()
    (neuron(plain) * weight.contiguous()).sum().backward()
    assert torch.equal(leaf.grad, plain.grad)


def test_channels_last_stays_channels_last() -> None:
    x = torch.randn(4, 2, 8, 6, 6).permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    spikes = LIF()(x)
    assert spikes.stride() == x.stride()
    assert torch.equal(spikes, LIF()(x.contiguous()))


def test_half_precision_integrates_in_float32() -> None:
    for dtype in (torch.bfloat16, torch.float16):
        x = (torch.randn(8, 100) + 0.4).to(dtype).requires_grad_()
        spikes, state = ParametricLIF().run(x)
        assert spikes.dtype == dtype
        assert state.voltage.dtype == torch.float32
        assert torch.equal(spikes.float(), ParametricLIF()(x.float()))
        spikes.sum().backward()
        assert x.grad.dtype == dtype


@pytest.mark.parametrize("shape", [(1, 1), (1, 70000), (300, 3), (5, 0), (4, 2, 0, 3)])
def test_any_size(shape: tuple[int, ...]) -> None:
    x = (torch.randn(shape) + 0.5).requires_grad_()
    spikes = LIF()(x)
    with reference():
        assert torch.equal(spikes, LIF()(x))
    spikes.sum().backward()
    assert x.grad.shape == x.shape


def whole(x: Tensor, neuron: Neuron) -> list[Tensor]:
    leaf = x.detach().requires_grad_()
    spikes = neuron(leaf)
    return [spikes, *torch.autograd.grad((spikes * x).sum(), (leaf, *neuron.parameters()))]


def test_deterministic_whatever_the_number_of_threads() -> None:
    x, neuron = torch.randn(8, 60000) + 0.4, ParametricLIF()
    with threads(1):
        expected = whole(x, neuron)
    for count in (1, 2, 3):
        with threads(count):
            for _ in range(3):
                assert all(map(torch.equal, whole(x, neuron), expected))


def test_without_openmp_and_after_a_fork_the_pool_takes_over(monkeypatch) -> None:
    x, neuron = torch.randn(8, 60000) + 0.4, ParametricLIF()
    expected = whole(x, neuron)
    monkeypatch.setattr(team, "_forked", True)
    with threads(2):
        assert all(map(torch.equal, whole(x, neuron), expected))


def test_python_threads_at_once_do_not_disturb_each_other() -> None:
    xs = [torch.randn(8, 60000) + 0.4 for _ in range(4)]
    neuron = LIF()
    expected = [whole(x, neuron) for x in xs]
    failures: list[int] = []

    def work(i: int) -> None:
        got = [whole(xs[i], neuron) for _ in range(5)]
        failures.extend(i for run in got if not all(map(torch.equal, run, expected[i])))

    with threads(2):
        workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
            assert not worker.is_alive()
    assert not failures


class Spikes(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        return LIF()(torch.full((4, 70000), 0.3 * index))


def test_data_loader_workers_that_fork() -> None:
    LIF()(torch.randn(4, 70000))  # the parent's team exists before the fork
    loader = torch.utils.data.DataLoader(
        Spikes(), num_workers=2, multiprocessing_context="fork", timeout=60
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads, Python 3.12
        got = [batch[0] for batch in loader]
    assert all(torch.equal(a, Spikes()[i]) for i, a in enumerate(got))


def _spikes_in_a_child(x: Tensor, queue: multiprocessing.Queue) -> None:
    torch.set_num_threads(2)
    spikes = LIF()(x)
    torch.set_num_threads(1)  # torch itself would wait forever for the parent's threads
    queue.put(spikes.sum().item())


def test_a_forked_child_may_use_two_threads() -> None:
    x = torch.full((4, 70000), 0.9)
    with threads(2):
        expected = LIF()(x).sum().item()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = context.Process(target=_spikes_in_a_child, args=(x, queue), daemon=True)
        child.start()
    assert queue.get(timeout=60) == expected
    child.join(60)


@pytest.mark.parametrize("leak", [None, 0.4])
@pytest.mark.parametrize("carried", [False, True])
def test_operator_is_sound(leak: float | None, carried: bool) -> None:
    x = torch.randn(5, 3, 4, requires_grad=True)
    learned = None if leak is None else torch.tensor(leak, requires_grad=True)
    voltage = torch.rand(3, 4, requires_grad=True) if carried else None
    torch.library.opcheck(
        lif_operator,
        (x, voltage, learned, 2.0, 1.0, None, True, False, *shape_of(ATan())),
    )


def test_exports_as_one_operator() -> None:
    x = torch.randn(5, 3, 4)
    program = torch.export.export(torch.nn.Sequential(torch.nn.Linear(4, 4), LIF()), (x,))
    assert "engram.lif" in str(program.graph)
    net = program.module()
    assert torch.equal(net(x), net(x))


def test_backward_keeps_the_input_and_nothing_else() -> None:
    kept: list[int] = []
    x = torch.randn(16, 1000, requires_grad=True)

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        LIF()(x)
    assert kept == [x.data_ptr()]


def test_the_choice_of_backend_is_visible() -> None:
    assert backend("cpu") == "numba"
    assert backend(torch.device("meta")) == "reference"
    with reference():
        assert backend() == "reference"
    assert backend() == "numba"


def test_a_surrogate_of_the_users_own_runs_on_the_reference() -> None:
    class Straight(Surrogate):
        def primitive(self, x: Tensor) -> Tensor:
            return x

        def derivative(self, x: Tensor) -> Tensor:
            return torch.ones_like(x)

    x = torch.randn(5, 8, requires_grad=True)
    spikes = LIF(surrogate=Straight(1.0), detach_reset=True)(x)
    assert torch.equal(spikes, LIF()(x))
    spikes[-1].sum().backward()
    assert (x.grad[-1] == 0.5).all()
