"""Conversion to crossbars: error bounds, nested models, faults, and the way back."""

import io

import pytest
import torch
from torch import nn

from engram.errors import EngramError
from engram.memristor.convert import Crossbar, Programming, convert, convert_back
from engram.memristor.device import ideal, taox_ramps


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), nn.BatchNorm2d(6), nn.ReLU()
        )

    def forward(self, x):
        return self.body(x)


def model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(Block(), nn.Flatten(), nn.Linear(6 * 16, 5, bias=False)).eval()


def picture():
    return torch.rand(3, 4, 8, 8, generator=torch.Generator().manual_seed(1))


def test_targets_themselves_give_the_outputs_of_the_model():
    net = model()
    found = convert(net, taox_ramps(), Programming(tolerance=None))
    assert [one.name for one in found.written] == ["0.body.0", "2"]
    assert found.left == ["0.body.1"]
    assert found.written[1].cells == 2 * 5 * 96
    torch.testing.assert_close(found.model(picture()), net(picture()), rtol=1e-5, atol=1e-6)
    assert isinstance(net[2], nn.Linear)


@pytest.mark.parametrize("device", [ideal(0.005), taox_ramps()], ids=["ideal", "ramps"])
@pytest.mark.parametrize("rows", [512, 40])
def test_weights_are_within_the_tolerance_of_both_cells(device, rows):
    net = model()
    found = convert(net, device, Programming(tolerance=0.01, rows=rows))
    assert [one.missed for one in found.written] == [0, 0]
    assert found.written[1].arrays == -(-96 // rows)
    crossbar, linear = found.model.get_submodule("2"), net[2]
    assert isinstance(crossbar, Crossbar)
    assert isinstance(linear, nn.Linear)
    for i, first in enumerate(range(0, 96, rows)):
        part = slice(first, first + rows)
        wanted = linear.weight[:, part]
        largest = wanted.abs().amax(1, keepdim=True)
        torch.testing.assert_close(crossbar.scales[i].float(), largest[:, 0])
        # the cell that stays lowest has no error; the other at most that of the tolerance
        assert ((crossbar.weight[:, part] - wanted).abs() <= 0.0101 * largest).all()


def test_pulses_of_equal_steps_are_those_of_division():
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -0.35]]))
    # steps of 0.1 of the range: 10 pulses for 1, and 3 or 4 for 0.35 to come within 0.06
    (written,) = convert(layer, ideal(0.2), Programming(tolerance=0.06)).written
    assert written.pulses == 10 + 3
    assert written.worst == pytest.approx(0.05, abs=1e-6)


def test_stuck_cells_are_counted_and_limited():
    torch.manual_seed(0)
    net = nn.Linear(100, 100)
    device = ideal(0.01)._replace(stuck=0.1)
    (written,) = convert(net, device, Programming(most=500)).written
    # half of the cells stay lowest anyway
    assert written.missed / written.cells == pytest.approx(0.05, abs=0.006)
    assert written.pulses >= 500 * written.missed


def test_back_and_forth():
    net = model()
    found = convert(net, taox_ramps()).model
    back = convert_back(found)
    torch.testing.assert_close(back(picture()), found(picture()))
    assert {type(one) for one in back.modules()} == {type(one) for one in net.modules()}
    with pytest.raises(EngramError, match="no crossbar"):
        convert_back(net)


def test_the_same_seed_gives_the_same_cells_and_a_saved_model_its_own():
    first = convert(model(), taox_ramps()).model
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            first.buffers(), convert(model(), taox_ramps()).model.buffers(), strict=True
        )
    )
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    other = convert(model(seed=1), taox_ramps(), Programming(seed=9)).model
    other.load_state_dict(state)
    torch.testing.assert_close(other(picture()), first(picture()), rtol=0, atol=0)
    with pytest.raises(EngramError, match=r"'taox-ramps', .* 'ideal, step 0\.1'"):
        convert(model(), ideal(0.1)).model.load_state_dict(state)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"programming": Programming(tolerance=5.0)}, "tolerance=5.0: give a share"),
        ({"programming": Programming(most=0)}, "most=0"),
        ({"exclude": ["0.bodi"]}, r"no module '0\.bodi'; did you mean '0\.body'"),
        ({"exclude": ["0", "2"]}, r"no layer to convert.*0\.body\.0, 0\.body\.1, 2"),
    ],
)
def test_what_cannot_be_converted_is_refused(settings, said):
    with pytest.raises(EngramError, match=said):
        convert(model(), taox_ramps(), **settings)


def test_excluded_modules_are_listed_and_weights_must_be_finite():
    net = model()
    assert convert(net, taox_ramps(), exclude=["0"]).left == ["0.body.0", "0.body.1"]
    with torch.no_grad():
        net[2].weight[0, 0] = float("nan")  # pyright: ignore[reportIndexIssue]
    with pytest.raises(EngramError, match="not finite"):
        convert(net, taox_ramps())
