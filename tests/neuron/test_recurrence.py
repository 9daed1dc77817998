import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engram.neuron.recurrence import linear_recurrence


def by_loop(drive: torch.Tensor, decay: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    z, out = start, []
    for d in drive:
        z = decay * z + d
        out.append(z)
    return torch.stack(out)


def dyadic(*shape: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    parts = torch.randint(-4, 5, (*shape, 2), generator=generator).double() / 4
    return torch.view_as_complex(parts)


@given(T=st.integers(1, 14), seed=st.integers(0, 999))
def test_equals_the_step_loop_exactly_where_arithmetic_is_exact(T: int, seed: int) -> None:
    drive, start = dyadic(T, 3, 4, seed=seed), dyadic(3, 4, seed=seed + 1)
    decay = dyadic(4, seed=seed + 2) / 2
    assert torch.equal(linear_recurrence(drive, decay, start), by_loop(drive, decay, start))
    zero = torch.zeros_like(start)
    assert torch.equal(linear_recurrence(drive, decay), by_loop(drive, decay, zero))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("decay_shape", [(), (2,), (4, 1)])
def test_gradients(dtype: torch.dtype, decay_shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    drive = torch.randn(6, 3, 4, 2, dtype=dtype, requires_grad=True)
    start = torch.randn(3, 4, 2, dtype=dtype, requires_grad=True)
    decay = (0.5 * torch.randn(decay_shape, dtype=dtype)).requires_grad_()
    assert torch.autograd.gradcheck(linear_recurrence, (drive, decay, start))
    assert torch.autograd.gradgradcheck(linear_recurrence, (drive[:3], decay, start))


def test_a_large_later_drive_leaves_no_trace_in_earlier_states() -> None:
    drive = torch.randn(50, 8)
    changed = drive.clone()
    changed[30:] = 1e30
    decay = torch.tensor(0.9)
    before, after = linear_recurrence(drive, decay), linear_recurrence(changed, decay)
    assert torch.equal(before[:30], after[:30])


def test_does_not_change_its_input() -> None:
    drive = torch.randn(1, 8)
    copy = drive.clone()
    linear_recurrence(drive, torch.tensor(0.5)).add_(1)
    assert torch.equal(drive, copy)
