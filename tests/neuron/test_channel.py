import pytest
import torch

from engram.neuron.channel import log_uniform, per_channel


@pytest.mark.parametrize("shape", [(7,), (7, 4), (7, 4, 5), (7, 4, 5, 2, 3)])
def test_one_channel_broadcasts_to_any_neurons(shape: tuple[int, ...]) -> None:
    x, values = torch.ones(shape), torch.tensor([[2.0], [3.0]])
    blocks = per_channel(values, x) * torch.ones(2, *shape[1:])
    assert blocks.shape == (2, *shape[1:])
    assert (blocks[0] == 2).all()
    assert (blocks[1] == 3).all()


def test_each_channel_meets_its_own_value() -> None:
    x, values = torch.ones(7, 4, 5, 2), torch.arange(10.0).reshape(2, 5)
    blocks = per_channel(values, x) * x[0]
    for block in range(2):
        for channel in range(5):
            assert (blocks[block, :, channel] == values[block, channel]).all()


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64,) * 2],
)
def test_takes_the_dtype_of_the_state(dtype: torch.dtype, expected: torch.dtype) -> None:
    assert per_channel(torch.ones(1), torch.ones(3, 2, dtype=dtype)).dtype == expected


def test_log_uniform_fills_the_range_evenly_in_the_logarithm() -> None:
    logs = log_uniform("PRF", 20000, (1e-3, 1e-1)) / torch.log(torch.tensor(10.0))
    torch.testing.assert_close(
        logs.quantile(torch.tensor([0.25, 0.5, 0.75])),
        torch.tensor([-2.5, -2.0, -1.5]),
        rtol=0,
        atol=0.05,
    )


def test_refuses_another_number_of_channels() -> None:
    for shape in ((7, 4), (7, 4, 6), (7, 5, 4)):
        with pytest.raises(ValueError, match=r"5 channels.*\(time, batch, 5.*channels=1"):
            per_channel(torch.ones(5), torch.ones(shape))
