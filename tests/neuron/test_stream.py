"""What a network carries inside `stream`: by place, by `with` block, by thread; never in a copy.

The oracle of every case is a run of the whole sequence, or a network of separate modules.
"""

import asyncio
import contextlib
import copy
import gc
import io
import multiprocessing
import pickle
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from engram.neuron import (
    IF,
    LIF,
    PSN,
    Delay,
    MaskedPSN,
    Neuron,
    OverTime,
    SlidingPSN,
    Temporal,
    detach_state,
    stream,
)
from engram.neuron.functional import LIFState
from tests.neuron.members import CAUSAL, STATELESS, T

LAYERS: dict[str, Callable[[], Temporal]] = {
    **{name: make for name, make in CAUSAL.items() if name not in STATELESS},
    "delay": lambda: Delay(3),
}
every = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
Make = Callable[[], Temporal]

HALF = torch.full((1, 1, 1), 0.6)
"""Two of these make an IF fire: one that starts fresh stays silent at the first."""


def current(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 1.5 + 0.7


class Reused(nn.Module):
    """One neuron at two places, or two neurons alike."""

    def __init__(self, make: Make = IF, *, shared: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        torch.manual_seed(1)
        self.n = make()
        torch.manual_seed(1)
        self.m = self.n if shared else make()
        nn.init.constant_(self.a.bias, 0.3)
        nn.init.constant_(self.b.bias, 0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.m(self.b(self.n(self.a(x))))


def streamed(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """In single steps, and in chunks."""
    with stream(net, single_step=True):
        steps = torch.stack([net(x_t) for x_t in x])
    with stream(net):
        return steps, torch.cat([net(chunk) for chunk in x.split([2, 1, len(x) - 3])])


# --- another batch in mid-stream


@every
@pytest.mark.parametrize("single_step", [False, True])
@pytest.mark.parametrize(("first", "then"), [((4, 3), (3, 3)), ((1, 3), (4, 3)), ((2, 3), (2, 5))])
def test_another_batch_in_mid_stream_is_refused_with_both_shapes(
    make: Make, single_step: bool, first: tuple[int, ...], then: tuple[int, ...]
) -> None:
    layer = make()
    lead = () if single_step else (1,)
    numbers = rf"\({first[0]}, {first[1]}\).*\({then[0]}, {then[1]}\).*new stream"
    with stream(layer, single_step=single_step):
        before = layer(current(*lead, *first))
        with pytest.raises(ValueError, match=numbers):
            layer(current(*lead, *then))
        layer(current(*lead, *first))  # the refused call changed nothing
    with stream(layer, single_step=single_step):
        assert torch.equal(layer(current(*lead, *first)), before)


@every
def test_run_refuses_the_state_of_another_batch_or_layer(make: Make) -> None:
    layer = make()
    _, state = layer.run(current(2, 4, 3))
    with pytest.raises(ValueError, match=r"\(4, 3\).*\(2, 3\)"):
        layer.run(current(2, 2, 3), state)
    with pytest.raises(ValueError, match=r"type Tensor.*State"):
        layer.run(current(2, 4, 3), torch.zeros(4, 3))


def test_a_window_refuses_the_history_of_another_window() -> None:
    x = current(3, 2)
    for make in (SlidingPSN, lambda k: MaskedPSN(k, T, lam=1.0), Delay):
        _, state = make(4).run(x)
        with pytest.raises(ValueError, match="earlier inputs"):
            make(2).run(x, state)


@every
def test_the_state_follows_another_dtype(make: Make) -> None:
    layer, x = make(), current(T, 5)
    whole = layer(x)
    with stream(layer):
        first = layer(x[:3])
        layer.double()
        then = layer(x[3:5].double())
        layer.float()
        last = layer(x[5:])
    assert (then.dtype, last.dtype) == (torch.float64, torch.float32)
    # sums that lie within rounding of the threshold may fire otherwise
    differs = ~torch.isclose(torch.cat([first, then.float(), last]), whole, atol=1e-5)
    assert differs.float().mean() < 0.1


# --- one layer at several places


@every
@pytest.mark.parametrize("shared", [True, False])
def test_a_layer_at_two_places_carries_two_states(make: Make, shared: bool) -> None:
    net, x = Reused(make, shared=shared).eval(), current(T, 3, 4)
    whole = net(x)
    steps, chunks = streamed(net, x)
    for got in (steps, chunks, Reused(make, shared=False)(x)):
        torch.testing.assert_close(got, whole, rtol=0, atol=1e-5)  # spikes differ by 1 or not


def test_a_shared_container_and_a_recursion_carry_a_state_for_each_use() -> None:
    class Recursive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(nn.Linear(4, 4), LIF(), nn.Sequential(IF()))

        def forward(self, x: Tensor, depth: int = 3) -> Tensor:
            y = self.block(x) + x
            return self(y, depth - 1) if depth else y

    torch.manual_seed(0)
    block = nn.Sequential(nn.Linear(4, 4), LIF())
    for net in (nn.Sequential(block, nn.Linear(4, 4), block, block), Recursive()):
        x = current(12, 3, 4)
        whole = net(x)
        for got in streamed(net, x):
            assert torch.equal(got, whole)


def test_gradients_flow_through_each_place() -> None:
    found = []
    for shared in (True, False):
        net, x = Reused(LIF, shared=shared), current(8, 3, 4)
        with stream(net):
            torch.cat([net(chunk) for chunk in x.split(2)]).square().sum().backward()
        found.append(net.a.weight.grad)
    torch.testing.assert_close(found[0], found[1])


class Varying(nn.Module):
    """Uses its neuron as often as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.n, self.uses = IF(), 1

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.uses):
            x = self.n(x)
        return x


@pytest.mark.parametrize(("first", "then"), [(1, 2), (2, 1), (2, 3), (3, 2)])
def test_a_varying_number_of_uses_is_refused(first: int, then: int) -> None:
    net = Varying()
    with stream(net):
        net.uses = first
        net(HALF)
        net.uses = then
        with pytest.raises(ValueError, match=rf"'n' was used {first} times"):
            net(HALF)
        net.uses = first
        net(HALF)


def test_a_layer_that_is_left_out_of_a_call_keeps_its_state() -> None:
    net = Varying()
    with stream(net):
        net(HALF)
        net.uses = 0
        net(HALF)
        net.uses = 1
        assert net(HALF).item() == 1


def test_parts_called_by_themselves_carry_the_state_of_their_place() -> None:
    neuron, x = IF(), HALF
    part = nn.Sequential(neuron)
    net = nn.Sequential(part, nn.Sequential(nn.Linear(1, 1), IF()))
    with torch.no_grad(), stream(net):
        assert part(x).item() == 0
        assert part(x).item() == 1
        net(x)
        assert neuron(x).item() == 1
        assert part(x).item() == 0


def test_parts_that_share_a_neuron_keep_apart_or_are_refused() -> None:
    shared, x = IF(), current(6, 3, 4)
    torch.manual_seed(0)
    parts = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), shared) for _ in range(2))
    whole = parts[1](parts[0](x))
    with stream(parts):
        chunks = torch.cat([parts[1](parts[0](chunk)) for chunk in x.split(2)])
        assert torch.equal(chunks, whole)
        with pytest.raises(ValueError, match="2 places"):
            shared(x[:2])
        with pytest.raises(ValueError, match="2 states"):
            _ = shared.state


class Copying(nn.Module):
    """Keeps its attributes in copies, as classes with a `__getstate__` of their own do."""

    def __init__(self) -> None:
        super().__init__()
        self.n = IF()

    def forward(self, x: Tensor) -> Tensor:
        return self.n(x)

    def __getstate__(self) -> dict[str, object]:
        return dict(self.__dict__)


def test_hooks_of_others_see_the_calls_of_containers() -> None:
    seen: list[str] = []
    net = nn.Sequential(nn.Sequential(IF()))
    handles = [
        net[0].register_forward_pre_hook(lambda *_: seen.append("pre")),
        net[0].register_forward_hook(lambda *_: seen.append("post")),
        nn.modules.module.register_module_forward_hook(lambda *_: seen.append("global")),
    ]
    with stream(net, single_step=True):
        assert [net(HALF[0]).item() for _ in range(2)] == [0, 1]
    for handle in handles:
        handle.remove()
    assert seen == ["pre", "global", "global", "post", "global"] * 2


def test_a_network_compiled_in_place_is_followed_if_it_was_compiled_before() -> None:
    net, x = Reused(), current(6, 3, 4)
    whole = net(x)
    net.compile(backend=lambda graph, _: graph.forward)
    compiled = net._compiled_call_impl
    with stream(net), torch.compiler.set_stance("force_eager"):  # not the shape checks of tests
        assert torch.equal(torch.cat([net(chunk) for chunk in x.split(2)]), whole)
    assert net._compiled_call_impl is compiled
    net = Reused()
    with stream(net):
        net.compile(backend=lambda graph, _: graph.forward)
        compiled = net._compiled_call_impl
        with (
            torch.compiler.set_stance("force_eager"),
            pytest.raises(ValueError, match="compile before"),
        ):
            net(x[:2])
    assert net._compiled_call_impl is compiled


# --- copies


def through_a_file(net: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "save": through_a_file,
}


@pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES.keys())
@pytest.mark.parametrize(
    "net", [IF(), nn.Sequential(nn.Sequential(IF())), Copying()], ids=["layer", "net", "copying"]
)
def test_a_copy_starts_fresh_inside_and_outside(
    net: nn.Module, make_copy: Callable[[nn.Module], nn.Module]
) -> None:
    with stream(net, single_step=True):
        net(HALF[0])
        twin = make_copy(net)
        assert [twin(HALF).item() for _ in range(3)] == [0, 0, 0]
        assert net(HALF[0]).item() == 1
    assert [twin(HALF).item() for _ in range(3)] == [0, 0, 0]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in twin.modules())
    with stream(twin):
        assert [twin(HALF).item() for _ in range(2)] == [0, 1]


def test_a_shallow_copy_of_a_layer_starts_fresh() -> None:
    net = IF()
    with stream(net):
        net(HALF)
        assert [copy.copy(net)(HALF).item() for _ in range(2)] == [0, 0]


def test_nothing_is_left_in_the_modules() -> None:
    net = nn.Sequential(nn.Linear(1, 1), LIF())
    before = [dict(m.__dict__) for m in net.modules()]
    keys = set(net.state_dict())
    with stream(net):
        net(HALF)
        assert set(net.state_dict()) == keys
    assert [dict(m.__dict__) for m in net.modules()] == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_states_are_copied_without_their_graph() -> None:
    weight = torch.ones(1, requires_grad=True)
    for make in LAYERS.values():
        layer = make()
        _, state = layer.run(current(3, 2, 1) * weight)
        twin = copy.deepcopy(state)
        for value, copied in zip(state, twin, strict=True):
            assert torch.equal(value, copied)
            assert copied.grad_fn is None
    learned = LIFState(nn.Parameter(torch.zeros(2)))
    assert isinstance(copy.deepcopy(learned).voltage, nn.Parameter)


def fires_at(net: nn.Module, answers: "multiprocessing.Queue[list[float]]") -> None:
    answers.put([net(HALF).item() for _ in range(2)])


def test_a_network_sent_to_another_process_starts_fresh() -> None:
    context = multiprocessing.get_context("spawn")
    net, answers = nn.Sequential(IF()), context.Queue()
    with stream(net):
        net(HALF)
        process = context.Process(target=fires_at, args=(net, answers))
        process.start()
        assert answers.get(timeout=60) == [0, 0]
        process.join()
        assert net(HALF).item() == 1


def test_replicas_are_refused() -> None:
    net = IF()
    with stream(net), pytest.raises(ValueError, match=r"DataParallel.*one device"):
        net._replicate_for_data_parallel()
    net._replicate_for_data_parallel()


# --- nesting


@pytest.mark.parametrize("single_step", [False, True])
def test_an_inner_stream_leaves_the_outer_state(single_step: bool) -> None:
    net = nn.Sequential(IF(), nn.Identity())
    x = HALF[0] if single_step else HALF
    for inner in (net[0], net):
        with stream(net):
            net(HALF)
            with stream(inner, single_step=single_step):
                assert [inner(x).item() for _ in range(2)] == [0, 1]
            assert net(HALF).item() == 1


def test_an_inner_stream_that_raises_leaves_the_outer_state() -> None:
    net = IF()
    with stream(net, single_step=True):
        net(HALF[0])
        with contextlib.suppress(ZeroDivisionError), stream(net):
            net(HALF)
            raise ZeroDivisionError
        assert net.single_step
        assert net(HALF[0]).item() == 1
    assert not net.carry


def test_a_call_from_outside_an_inner_stream_of_other_steps_is_refused() -> None:
    net = nn.Sequential(nn.Identity(), IF())
    with stream(net), stream(net[1], single_step=True):
        with pytest.raises(ValueError, match=r"single_step=False.*single_step=True"):
            net(HALF)
        assert net[1](HALF[0]).item() == 0


def test_streams_of_two_networks_do_not_meet() -> None:
    a, b = IF(), nn.Sequential(IF())
    with stream(a), stream(b, single_step=True):
        a(HALF)
        assert b(HALF[0]).item() == 0
        assert a(HALF).item() == 1
        assert IF()(HALF).item() == 0


def test_a_stream_that_cannot_open_leaves_no_trace() -> None:
    net = nn.Sequential(IF(), PSN(T))
    with pytest.raises(ValueError, match=r"at '1'.*SlidingPSN"), stream(net):
        pass
    assert not net[0].carry
    assert not net._forward_hooks


# --- errors in mid-stream


def test_a_call_that_raises_changes_no_state() -> None:
    class Fragile(nn.Module):
        broken = False

        def forward(self, x: Tensor) -> Tensor:
            if self.broken:
                raise ZeroDivisionError
            return x

    fragile, first = Fragile(), IF()
    net = nn.Sequential(first, nn.Sequential(fragile, IF()))
    with stream(net):
        assert net(HALF).item() == 0
        fragile.broken = True
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                net(HALF)
        fragile.broken = False
        assert first.state.voltage.item() == pytest.approx(0.6)
        assert net(HALF).item() == 1  # both neurons fire at their second step
        assert first.state.voltage.item() == 0


# --- threads, tasks, generators


def test_another_thread_has_no_part_in_the_stream() -> None:
    net = nn.Sequential(IF())
    with ThreadPoolExecutor(1) as pool, stream(net, single_step=True):
        net(HALF[0])
        assert pool.submit(lambda: [net(HALF).item() for _ in range(2)]).result() == [0, 0]
        assert net(HALF[0]).item() == 1


def test_two_threads_stream_one_network() -> None:
    net, x = Reused(), current(50, 2, 3, 4)
    wholes = [net(x[:, i]) for i in range(2)]
    barrier = threading.Barrier(2)

    def run(i: int) -> Tensor:
        with torch.no_grad(), stream(net, single_step=True):
            steps = []
            for x_t in x[:, i]:
                barrier.wait(timeout=30)
                steps.append(net(x_t))
        return torch.stack(steps)

    with ThreadPoolExecutor(2) as pool:
        for got, whole in zip(pool.map(run, range(2)), wholes, strict=True):
            assert torch.equal(got, whole)
    assert not net._forward_hooks


def test_tasks_stream_one_network() -> None:
    net, x = Reused(), current(20, 2, 3, 4)
    wholes = [net(x[:, i]) for i in range(2)]

    @contextlib.asynccontextmanager
    async def session() -> AsyncIterator[None]:
        with stream(net, single_step=True):
            await asyncio.sleep(0)
            yield

    async def run(i: int) -> Tensor:
        steps = []
        async with session():
            for x_t in x[:, i]:
                await asyncio.sleep(0)
                steps.append(net(x_t))
        return torch.stack(steps)

    async def both() -> tuple[Tensor, Tensor]:
        return await asyncio.gather(run(0), run(1))

    for got, whole in zip(asyncio.run(both()), wholes, strict=True):
        assert torch.equal(got, whole)


def spikes_of(net: nn.Module, x: Tensor) -> Generator[Tensor]:
    with stream(net, single_step=True):
        for x_t in x:
            yield net(x_t)


def test_generators_stream_one_network() -> None:
    net, x = Reused(), current(20, 2, 3, 4)
    wholes = [net(x[:, i]) for i in range(2)]
    pairs = list(zip(spikes_of(net, x[:, 0]), spikes_of(net, x[:, 1]), strict=True))
    for got, whole in zip(zip(*pairs, strict=True), wholes, strict=True):
        assert torch.equal(torch.stack(got), whole)
    assert not net.n.carry


def test_the_stream_of_a_suspended_generator_is_not_its_callers() -> None:
    net = nn.Sequential(IF())
    steps = spikes_of(net, HALF[:, 0].expand(3, 1))
    assert next(steps).item() == 0
    with pytest.raises(ValueError, match=r"spikes_of\(\), which is suspended.*close"):
        net(HALF)
    detach_state(net)
    with stream(net):  # one of its own is clear
        assert [net(HALF).item() for _ in range(2)] == [0, 1]
    assert next(steps).item() == 1
    steps.close()
    assert [net(HALF).item() for _ in range(2)] == [0, 0]


def test_a_generator_that_is_dropped_ends_its_stream() -> None:
    net = nn.Sequential(IF())
    for _ in spikes_of(net, HALF[:, 0].expand(3, 1)):
        break
    gc.collect()
    assert not net._forward_hooks
    assert [net(HALF).item() for _ in range(2)] == [0, 0]


def test_a_context_manager_may_open_a_stream_for_its_caller() -> None:
    net = IF()

    @contextlib.contextmanager
    def session() -> Iterator[nn.Module]:
        with contextlib.ExitStack() as stack:
            stack.enter_context(stream(net))
            yield net

    def steps() -> Iterator[float]:
        with session() as opened:
            for _ in range(3):
                yield opened(HALF).item()

    with session() as opened:
        assert [opened(HALF).item() for _ in range(2)] == [0, 1]
    pairs = list(zip(steps(), steps(), strict=True))
    assert pairs == [(0, 0), (1, 1), (0, 0)]


# --- layers that come later


def test_a_layer_added_in_mid_stream_joins_it() -> None:
    net = nn.Sequential(IF())
    with stream(net, single_step=True):
        net(HALF[0])
        net.append(IF(0.5))
        net[0] = IF()
        assert [net(HALF[0]).item() for _ in range(2)] == [0, 1]
        net.append(nn.Sequential(OverTime(nn.Identity()), nn.Sequential(IF(0.5))))
        assert [net(HALF[0]).item() for _ in range(2)] == [0, 1]
        net.append(PSN(T))
        with pytest.raises(ValueError, match=r"at '3'.*SlidingPSN"):
            net(HALF[0])
    assert not any(m._forward_hooks for m in net.modules())


def test_a_layer_that_is_no_submodule_is_refused() -> None:
    hidden = [IF()]

    class Hiding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.n = IF()

        def forward(self, x: Tensor) -> Tensor:
            return hidden[0](self.n(x))

    net = Hiding()
    net(HALF)
    with stream(net), pytest.raises(ValueError, match="ModuleList"):
        net(HALF)


def test_a_mask_that_fades_out_in_mid_stream_is_refused() -> None:
    neuron = MaskedPSN(2, T, lam=1.0)
    with stream(neuron):
        neuron(current(2, 3))
        neuron.lam = 0.5
        with pytest.raises(ValueError, match="cannot be streamed"):
            neuron(current(2, 3))


# --- autograd


@pytest.mark.parametrize("use_reentrant", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_checkpoints_are_right_or_refused(use_reentrant: bool, whole: bool) -> None:
    torch.manual_seed(1)
    linear = nn.Linear(3, 3)
    net = nn.Sequential(linear, LIF(), nn.Linear(3, 2))
    nn.init.uniform_(linear.weight, -2, 3)
    x = (torch.rand(4, 3, 2, 3) * 4).requires_grad_()

    def run(x: Tensor) -> Tensor:
        with stream(net):
            return torch.cat([net(chunk) for chunk in x])

    def gradient(through: Callable[[Tensor], Tensor]) -> Tensor:
        net.zero_grad()
        through(x).square().sum().backward()
        assert linear.weight.grad is not None
        return linear.weight.grad.clone()

    if whole:  # the stream is opened again as it is computed again
        got = gradient(lambda x: checkpoint(run, x, use_reentrant=use_reentrant))  # type: ignore[arg-type]
        torch.testing.assert_close(got, gradient(run))
        return
    with stream(net):  # refused before any gradient is wrong, wherever the backward would run
        for chunk in x[:2]:
            with pytest.raises(ValueError, match="checkpoint"):
                checkpoint(net, chunk, use_reentrant=use_reentrant)
            net(chunk)
    with stream(net), torch.no_grad():
        checkpoint(net, x[0], use_reentrant=False)  # nothing is computed again


def test_layers_without_state_may_be_checkpointed() -> None:
    torch.manual_seed(0)
    norm, neuron, x = OverTime(nn.Linear(3, 3)), LIF(), current(6, 2, 3)
    net = nn.ModuleList([norm, neuron])
    grads = []
    for save in (False, True):
        net.zero_grad()
        with stream(net):
            for chunk in x.split(2):
                h = checkpoint(norm, chunk, use_reentrant=False) if save else norm(chunk)
                neuron(h).sum().backward()  # type: ignore[union-attr]
                detach_state(net)
        grads.append(norm.layer.weight.grad.clone())  # type: ignore[union-attr]
    torch.testing.assert_close(grads[0], grads[1])


def test_transforms_and_traces_are_refused_inside_and_work_around() -> None:
    net, x = nn.Sequential(LIF()), current(4, 5, 2)

    def steps(x: Tensor) -> Tensor:
        with stream(net):
            return torch.cat([net(x[:2]), net(x[2:])])

    with torch.no_grad():
        assert torch.equal(torch.func.vmap(steps, 1, 1)(x), net(x))
    with stream(net):
        with pytest.raises(ValueError, match=r"torch\.func"):
            torch.func.vmap(net, 1, 1)(x)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError, match=r"torch\.jit"):
                torch.jit.trace(net, (x,), check_trace=False)
        with pytest.raises(ValueError, match="exported inside stream"):
            torch.export.export(net, (x,))
        assert torch.equal(net(x), LIF()(x))
    torch.export.export(net, (x,))


@every
def test_a_state_made_without_gradients_serves_training(make: Make) -> None:
    layer, x = make(), current(T, 4)
    whole = layer(x)
    for mode in (torch.no_grad, torch.inference_mode):
        inputs = x.clone().requires_grad_()
        with stream(layer):
            with mode():
                first = layer(x[:3])
            rest = layer(inputs[3:])
            rest.sum().backward()
        assert torch.equal(torch.cat([first, rest]), whole)
        assert inputs.grad is not None
        assert inputs.grad[3:].abs().sum() > 0


def test_the_gradient_reaches_a_state_that_was_set() -> None:
    start, neuron = nn.Parameter(torch.full((2, 3), 0.2)), LIF()
    x = current(T, 2, 3)
    expected = torch.autograd.grad(neuron.run(x, LIFState(start))[0].sum(), start)[0]
    with stream(neuron):
        neuron.state = LIFState(start)
        y = torch.cat([neuron(x[:2]), neuron(x[2:])])
    torch.testing.assert_close(torch.autograd.grad(y.sum(), start)[0], expected)
    assert expected.abs().sum() > 0
    assert neuron.state is None
    with pytest.raises(ValueError, match="outside stream"):
        neuron.state = LIFState(start)


# --- OverTime


class Hidden(nn.Module):
    """Calls a neuron that it does not register."""

    def __init__(self, neuron: Neuron) -> None:
        super().__init__()
        self.call = neuron.forward

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x)


@pytest.mark.parametrize("streams", [False, True])
def test_layers_along_time_are_refused_inside_over_time(streams: bool) -> None:
    for inner in (LIF(), nn.Sequential(nn.Identity(), nn.Sequential(PSN(4))), OverTime(nn.ReLU())):
        with pytest.raises(ValueError, match="along time"):
            OverTime(inner)
    added = OverTime(nn.Sequential(nn.Identity()))
    added.layer.append(LIF())  # type: ignore[operator]
    for net in (added, nn.Sequential(OverTime(nn.Sequential(Hidden(LIF()))))):
        with stream(net) if streams else contextlib.nullcontext():  # noqa: SIM117
            with pytest.raises(ValueError, match="inside OverTime"):
                net(torch.ones(4, 3, 1))
    assert LIF()(torch.ones(4, 3, 1)).shape == (4, 3, 1)


def test_over_time_says_what_it_cannot_take() -> None:
    x = torch.ones(4, 3, 5)
    for layer, message in [
        (nn.LSTM(5, 5), r"LSTM in OverTime returned a tuple.*\(time, batch, features\)"),
        (nn.Flatten(0), r"Flatten.*\(60,\).*batch of 12.*4 steps of 3 samples"),
        (nn.MSELoss(), "missing"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            OverTime(layer)(x)
    with pytest.raises(ValueError, match=r"\(4,\), without a batch axis"):
        OverTime(nn.ReLU())(torch.ones(4))
    with pytest.raises(ValueError, match="at least one step"):
        OverTime(nn.ReLU())(torch.tensor(1.0))


@every
def test_refuses_what_is_not_a_dense_sequence(make: Make, without_shape_checks: None) -> None:
    layer = make()
    x = torch.ones(T, 2, 3)
    with pytest.raises(ValueError, match=r"shape \(\).*first axis is time"):
        layer(torch.tensor(1.0))
    ragged = torch.nested.nested_tensor([x[0], x[1, :1]], layout=torch.jagged)
    for bad in (x.to_sparse(), ragged):
        with pytest.raises(ValueError, match=r"to_dense\(\)"):
            layer(bad)
    with pytest.raises(ValueError, match="got a ndarray"):
        layer(x.numpy())
    for lengths in ([3, 2], (3, 2), 3):
        with pytest.raises(ValueError, match=r"torch.tensor\(\[5, 3\]\)"):
            layer(x, lengths)
    with stream(layer, single_step=True), pytest.raises(ValueError, match=r"to_dense\(\)"):
        layer(x[0].to_sparse())
