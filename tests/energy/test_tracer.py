from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engram.energy import Kind, count
from engram.neuron import (
    LIF,
    PMSN,
    PRF,
    PSN,
    Delay,
    DilatedPSN,
    Neuron,
    SlidingPSN,
    reference,
)
from engram.neuron.module import Temporal
from tests.energy.networks import Calls, normal, spikes


def only(model, x, **options):
    (operation,) = count(model, [x], **options).operations
    return operation


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (spikes(8, 5), Kind.BINARY),
        (spikes(8, 5).bool().float() * 3, Kind.INTEGER),
        (-spikes(8, 5), Kind.INTEGER),
        (spikes(8, 5) / 2, Kind.REAL),
        (normal(8, 5), Kind.REAL),
        (torch.zeros(8, 5), Kind.BINARY),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_operand_is_judged_by_its_values(x, kind, dtype):
    operation = only(nn.Linear(5, 3).to(dtype), x.to(dtype))
    assert operation.left.kind is kind
    assert operation.right.weight
    assert operation.kinds == f"{kind} × weight"
    assert (operation.gate is not None) == (kind is Kind.BINARY)
    assert operation.left.silent == (not x.any())


def test_one_batch_out_of_many_makes_an_operand_dearer():
    model = nn.Conv2d(2, 3, 3)
    batches = [spikes(2, 2, 6, 6, seed=seed) for seed in range(3)]
    assert count(model, batches).operations[0].gate is not None
    found = count(model, [*batches, spikes(2, 2, 6, 6) + spikes(2, 2, 6, 6)]).operations[0]
    assert found.left.calls == [3, 1, 0]
    assert found.left.kind is Kind.INTEGER
    assert found.gate is None


def test_two_levels_are_no_spikes_and_are_told():
    operand = only(nn.Linear(5, 3), spikes(4, 5) / 2).left
    assert (operand.kind, operand.level) == (Kind.REAL, 0.5)
    three = torch.tensor([[0.0, 0.5, 1.0, 0.0, 0.5]])
    assert only(nn.Linear(5, 3), three).left.level is None
    changing = count(nn.Linear(5, 3), [spikes(4, 5) / 2, spikes(4, 5) / 4]).operations[0]
    assert changing.left.level is None


BATCH, ROWS, INNER, COLUMNS = 2, 3, 4, 5
PRODUCT = BATCH * ROWS * INNER * COLUMNS


@pytest.mark.parametrize(
    "function",
    [
        lambda net, x: x @ net.weight,
        lambda net, x: torch.matmul(x, net.weight),
        lambda net, x: F.linear(x, net.weight.T),
        lambda net, x: F.linear(x, net.weight.T, torch.ones(COLUMNS)),
        lambda net, x: torch.einsum("bri,ic->brc", x, net.weight),
        lambda net, x: torch.tensordot(x, net.weight, 1),
        lambda net, x: torch.bmm(x, net.weight.expand(BATCH, INNER, COLUMNS)),
        lambda net, x: torch.baddbmm(torch.ones(1), x, net.weight.expand(BATCH, INNER, COLUMNS)),
        lambda net, x: torch.stack([torch.addmm(torch.ones(1), y, net.weight) for y in x]),
        lambda net, x: torch.stack(
            [torch.stack([torch.mv(net.weight.T, r) for r in y]) for y in x]
        ),
        lambda net, x: F.conv1d(x.mT, net.weight.T[:, :, None]),
        lambda net, x: (x[..., None] * net.weight).sum(-2),
    ],
)
@pytest.mark.parametrize("inference", [False, True])
def test_every_spelling_of_a_product_is_seen(function, inference):
    net = Calls(function)
    net.weight = nn.Parameter(normal(INNER, COLUMNS))
    x = spikes(BATCH, ROWS, INNER, rate=0.5)
    with torch.inference_mode(inference):
        found = count(net, [x])
    assert found.dense == PRODUCT / BATCH
    assert found.acs == x.sum() * COLUMNS / BATCH
    assert found.macs == 0


ALLOWED = spikes(6, 6, rate=0.7).bool() | torch.eye(6, dtype=torch.bool)


@pytest.mark.parametrize(
    ("options", "attended"),
    [
        ({}, torch.ones(6, 6)),
        ({"is_causal": True}, torch.ones(6, 6).tril()),
        ({"attn_mask": ALLOWED, "scale": 0.3}, ALLOWED.float()),
    ],
)
def test_attention_shows_its_two_products(options, attended):
    net = Calls(lambda _, x: F.scaled_dot_product_attention(x, x, x, **options))
    x = spikes(2, 3, 6, 4, rate=0.5)
    first, second = count(net, [x]).operations
    assert first.kinds == "binary × binary"  # not scaled before it is multiplied
    assert second.kinds == "real × binary"
    assert first.dense == second.dense == 2 * 3 * 6 * 6 * 4
    assert second.effective == (attended @ x).sum()


def test_multi_head_attention_is_seen_whatever_path_torch_takes():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    batch, tokens, dim, hidden = 3, 5, 8, 16
    found = count(layer, [normal(batch, tokens, dim)])
    linear = tokens * (4 * dim * dim + 2 * dim * hidden)
    assert found.dense == linear + 2 * tokens * tokens * dim


def test_a_weight_is_what_depends_on_no_input():
    def forward(net, x):
        masked = net.layer.weight * (net.layer.weight > 0)
        return F.linear(x, masked) @ (x.sum() * torch.eye(3))

    first, second = count(Calls(forward, layer=nn.Linear(5, 3)), [spikes(4, 5)]).operations
    assert first.kinds == "binary × weight"
    assert second.kinds == "real × integer"


def test_what_is_written_into_a_buffer_is_no_weight():
    def forward(net, x):
        out = torch.empty(2, 4, 5)
        out[0] = x
        out[1] = 2 * x
        return net.layer(out)

    operation = only(Calls(forward, layer=nn.Linear(5, 3)), spikes(4, 5))
    assert operation.kinds == "integer × weight"


def test_products_of_weights_alone_are_no_synaptic_operation():
    def forward(net, x):
        return F.linear(x, net.a.weight @ net.b.weight)

    net = Calls(forward, a=nn.Linear(2, 3), b=nn.Linear(5, 2))
    found = count(net, [spikes(4, 5)])
    assert [one.prepared for one in found.operations] == [True, False]
    assert found.dense == 5 * 3


def test_a_place_is_the_module_and_the_order_within_a_call():
    def forward(net, x):
        for _ in range(3):
            x = net.layer(x)
        return x @ x.T @ x

    net = Calls(forward, layer=nn.Linear(4, 4))
    found = {one.name: one.calls for one in count(nn.Sequential(net), [normal(2, 4)]).operations}
    assert found == {"0.layer/matmul": 3, "0/matmul": 1, "0/matmul.2": 1}


def test_an_error_inside_leaves_no_trace():
    def forward(net, x):
        if x.sum() > 0:
            raise RuntimeError("broken")
        return net.layer(x)

    net: Any = Calls(forward, layer=nn.Linear(4, 4))
    with pytest.raises(RuntimeError, match="broken"):
        count(net, [torch.ones(2, 4)])
    assert not net.layer._forward_hooks
    assert not net._forward_pre_hooks
    assert torch.backends.mha.get_fastpath_enabled()
    assert count(net, [torch.zeros(2, 4)]).operations[0].name == "layer/matmul"


def test_a_trace_changes_no_output():
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 3))
    x, seen = normal(2, 2, 6, 6), []
    net.register_forward_hook(lambda _m, _x, out: seen.append(out))
    count(net, [x])
    with torch.no_grad():
        assert torch.equal(net.eval()(x), seen[0])


@pytest.mark.parametrize("make", [LIF, lambda: PSN(3), lambda: SlidingPSN(2)])
@pytest.mark.parametrize("plainly", [False, True])
def test_what_runs_inside_a_neuron_is_its_dynamics(make, plainly):
    net = Calls(lambda net, x: net.layer(net.neuron(x)), layer=nn.Linear(4, 2), neuron=make())
    x = normal(3, 5, 4)
    if plainly:
        with reference():
            found = count(net, [x], neurons=(Neuron,), batch_axis=1)
    else:
        found = count(net, [x], neurons=(Neuron,), batch_axis=1)
    assert [one.path for one in found.synaptic] == ["layer"]
    (layer,) = found.activations
    assert (layer.path, layer.elements) == ("neuron", x.numel())
    assert layer.nonzero == found.synaptic[0].left.nonzero
    assert all(one.path == "neuron" for one in found.dynamics)
    assert bool(found.dynamics) == (make is not LIF)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (nn.LSTM(4, 3), normal(5, 2, 4)),
        (Calls(lambda _, x: torch.cdist(x, x)), normal(2, 5, 4)),
        (Calls(lambda net, x: net.b(x, x), b=nn.Bilinear(4, 4, 3)), normal(2, 4)),
    ],
)
def test_what_multiplies_out_of_sight_is_refused(layer, x):
    with pytest.raises(ValueError, match=r"multiplies unobserved.*matrix products"):
        count(layer, [x])


def test_an_elementwise_product_is_no_sum_of_products():
    net = Calls(lambda net, x: net.layer(x * x) * net.layer.weight[0, 0], layer=nn.Linear(4, 3))
    found = count(net, [spikes(2, 4)])
    assert [one.name for one in found.operations] == ["layer/matmul"]
    outer = count(Calls(lambda _, x: torch.einsum("bi,bj->bij", x, 2 * x)), [spikes(2, 4)])
    assert [(one.name, one.kinds) for one in outer.operations] == [
        ("the network/outer", "binary × integer")
    ]
    assert outer.dense == 4 * 4


def test_sparse_weights_are_refused_with_a_remedy():
    net = Calls(lambda net, x: torch.mm(net.weight, x))
    net.weight = torch.eye(4).to_sparse()
    with pytest.raises(ValueError, match=r"cannot be classified.*to_dense"):
        count(net, [spikes(4, 2)])


def test_operators_from_elsewhere_are_named():
    @torch.library.custom_op("engram_test::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    assert count(Calls(lambda _, x: twice(x)), [normal(2, 3)]).unseen == ("engram_test::twice",)


def test_what_an_operator_from_elsewhere_writes_is_no_weight():
    @torch.library.custom_op("engram_test::fill", mutates_args=("out",))
    def fill(x: torch.Tensor, out: torch.Tensor) -> None:
        out.copy_(x)

    def forward(net, x):
        out = torch.empty(2, 4)
        fill(x, out)
        return net.layer(out)

    assert only(Calls(forward, layer=nn.Linear(4, 3)), spikes(2, 4)).kinds == "binary × weight"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_operand_that_is_not_finite_is_named(bad):
    net = nn.Sequential(first := nn.Linear(4, 4), nn.Linear(4, 4))
    with torch.no_grad():
        first.bias[0] = bad
    with pytest.raises(
        ValueError, match=r"1/matmul cannot be classified: it reads NaN or infinity"
    ):
        count(net, [normal(2, 4)])


def complex_normal(*shape, seed=0):
    return torch.complex(normal(*shape, seed=seed), normal(*shape, seed=seed + 1))


def real_products(a, b):
    """Products of real numbers in a b, neither zero, by brute force."""
    parts = ((x.real, x.imag) if x.is_complex() else (x,) for x in (a, b))
    left, right = parts
    return sum(float(((u != 0).double() @ (v != 0).double()).sum()) for u in left for v in right)


@pytest.mark.parametrize("imaginary", [0.0, 1.0])
def test_a_complex_product_is_four_real_ones(imaginary):
    weight = nn.Parameter(complex_normal(5, 3))
    x = torch.complex(spikes(4, 5), imaginary * spikes(4, 5, seed=1))
    (operation,) = count(Calls(lambda _, x: x @ weight), [x]).operations
    assert operation.dense == 4 * (4 * 5 * 3)
    assert operation.effective == real_products(x, weight)
    assert operation.kinds == "binary × weight"


def test_products_in_the_fourier_domain_are_counted_and_the_transform_is_named():
    weight = nn.Parameter(complex_normal(5))
    net = Calls(lambda _, x: torch.fft.irfft(torch.fft.rfft(x) * weight))
    found = count(net, [spikes(4, 8)])
    assert found.unseen == ("aten::_fft_c2r", "aten::_fft_r2c")
    assert [(one.name, one.kinds) for one in found.operations] == [
        ("the network/product", "real × weight")
    ]
    assert found.dense == 4 * 5


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: (x * w).sum(-1),
        lambda x, w: (w * x).sum(),
        lambda x, w: x.clone().mul_(w).sum(-1),
        lambda x, w: torch.mul(x, w, out=torch.empty(0)).mean(-1),
        lambda x, w: sum(x[:, i] * w[i] for i in range(6)),
        lambda x, w: torch.stack([x[:, i] * w[i] for i in range(6)]).sum(0),
        lambda x, w: (x[:, None] * w).flatten(1).sum(-1),
        lambda x, w: (x / w).sum(-1),
    ],
)
def test_a_product_with_a_vector_written_out_is_counted(function):
    weight = nn.Parameter(normal(6))
    x = spikes(4, 6, rate=0.5)
    net = Calls(lambda _, x: function(x, weight))
    found = count(net, [x], batch_axis=0)
    assert found.dense == 6
    assert found.acs == x.sum() / 4
    assert {one.kinds for one in found.operations} <= {"binary × weight", "weight × binary"}


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: x * w,
        lambda x, w: (x[:, :, None].expand(-1, -1, 3) * w[:, None]).mean(-1),
        lambda x, w: x + x * w,
        lambda x, w: x * torch.ones(6),
    ],
)
def test_a_scale_is_no_sum_of_products(function):
    weight = nn.Parameter(normal(6))
    assert not count(Calls(lambda _, x: function(x, weight)), [normal(4, 6)]).operations


@pytest.mark.parametrize(
    ("function", "products"),
    [
        (lambda x: x * torch.sigmoid(x), 1),
        (lambda x: x / (1 + x.abs()), 1),
        (lambda x: x**3, 2),
        (lambda x: torch.addcmul(x, x, x), 1),
        (lambda x: x.clone().mul_(x), 1),
        (lambda x: x.square(), 1),
    ],
)
def test_a_product_of_two_real_activations_is_counted(function, products):
    found = count(Calls(lambda _, x: function(x)), [normal(4, 6)])
    assert found.dense == 6 * products
    assert {one.kinds for one in found.operations} == {"real × real"}
    assert not count(Calls(lambda _, x: function(x)), [spikes(4, 6)]).macs


@pytest.mark.parametrize(
    "spelling",
    [
        lambda x, w: torch.mm(x, w, out=torch.empty(0)),
        lambda x, w: torch.zeros(4, 3).addmm_(x, w),
        lambda x, w: torch.vmap(lambda row: row @ w)(x),
    ],
)
def test_products_in_place_and_into_a_buffer_are_seen(spelling):
    weight = nn.Parameter(normal(6, 3))
    x = spikes(4, 6)
    net = Calls(lambda _, x: spelling(x, weight))
    found = count(net, [x], batch_axis=0)
    assert found.acs == x.sum() * 3 / 4


def test_a_compiled_network_is_seen():
    net = nn.Sequential(nn.Linear(5, 3), nn.ReLU())
    compiled: Any = torch.compile(net, backend="aot_eager")
    compiled(normal(4, 5))
    assert count(compiled, [normal(4, 5)]).dense == count(net, [normal(4, 5)]).dense == 15


@pytest.mark.parametrize(
    "make",
    [
        lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8).dequantize(),
        lambda x: torch.nested.nested_tensor([x[0], x[1]]) @ torch.eye(5),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_packed_tensors_are_refused(make):
    with pytest.raises(ValueError, match=r"sparse, nested, quantised or packed.*to_dense"):
        count(Calls(lambda _, x: make(x)), [normal(4, 5)])


@pytest.mark.parametrize("make", [PRF, PMSN, lambda: DilatedPSN(2), lambda: Delay(2)])
def test_no_neuron_has_operators_that_are_not_known(make):
    found = count(make(), [normal(5, 3, 4)], neurons=(Temporal,), layout="time-first")
    assert not found.unseen
    assert not found.synaptic
