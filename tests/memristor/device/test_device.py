"""Pulses on pairs of devices: against whole numbers, a loop in Python, and measured tables."""

import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from engram.errors import EngramError
from engram.kernel.philox import words
from engram.memristor import StepUpdate, learn
from engram.memristor.device import (
    Range,
    Reading,
    calibrate,
    from_calibration,
    ideal,
    read_device,
    read_ramps,
    taox_ramps,
)
from engram.memristor.functional import Address, Purpose
from tests.memristor.test_layer import inputs, network

BOUNDS = Range(1e-6, 1e-4)


def trained(steps=12, state=None, weights=None, first=0, **settings):
    net = network()
    if weights is not None:
        net.load_state_dict(weights)
    update = StepUpdate(net.parameters(), carry=2, **settings)
    if state is not None:
        update.load_state_dict(state)
    for step in range(first, steps):
        learn(net, *inputs(seed=step), step)
        update.step()
    return net, update


def same(one, other):
    return all(map(torch.equal, one.parameters(), other.parameters()))


@pytest.mark.parametrize("step", [1 / 64, 1 / 4])
def test_an_ideal_device_is_the_rule_of_whole_numbers(step):
    ours, pulsed = trained(device=ideal(step), step=step)
    numbers, reference = trained(step=step)
    assert same(ours, numbers)
    assert pulsed.pulses == reference.pulses > 0


def expected(device, pulses, start, seed, number, taken):
    """Pairs after pulses, one at a time in Python; draws by the reference of the generator."""
    stream = Address(seed, number, taken).stream(Purpose.PULSE)
    pairs = np.array([(1 + start) / 2, (1 - start) / 2])
    for i, count in enumerate(pulses):
        for p in range(abs(int(count))):
            two = words(seed, stream, 4 * ((i << 32) | p // 2) + 2 * (p % 2), 2)
            up = 0 if count > 0 else 1
            for place, table, word in zip(
                (up, 1 - up), (device.rise, device.fall), two, strict=True
            ):
                quantile = int(word) * 2.0**-32
                rows = np.linspace(0, 1, table.shape[0])
                columns = np.linspace(0, 1, table.shape[1])
                by_row = [np.interp(quantile, columns, row) for row in table]
                step = np.interp(pairs[place, i], rows, by_row)
                pairs[place, i] = np.clip(pairs[place, i] + step, 0, 1)
    return pairs


def test_noisy_pulses_by_a_loop_in_python():
    device = taox_ramps()
    start = torch.tensor([0.25, -0.5, 0.0, 1.0])
    weight = torch.nn.Parameter(start.clone())
    update = StepUpdate([weight], device=device, seed=7)
    pulses = torch.tensor([5.0, -3.0, 0.0, 2.0])
    weight.grad = -pulses
    update.step()
    pairs = expected(device, pulses, start.double().numpy(), 7, 0, 0)
    np.testing.assert_allclose(update.state[weight]["pairs"], pairs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(weight.detach(), pairs[0] - pairs[1], atol=2.0**-17)


def test_the_noise_of_pulses_has_the_deviation_of_the_fit():
    device = taox_ramps()
    weight = torch.nn.Parameter(torch.zeros(20_000))
    update = StepUpdate([weight], device=device)
    weight.grad = -torch.ones(20_000)
    update.step()
    rise, fall = update.state[weight]["pairs"].numpy() - 0.5
    assert rise.mean() == pytest.approx(0.00656, rel=0.01)
    assert fall.mean() == pytest.approx(-0.00641, rel=0.01)
    assert rise.std() == pytest.approx(0.000956, rel=0.03)


def test_variation_between_devices_and_stuck_devices():
    device = taox_ramps()._replace(between=0.3, stuck=0.1)
    weight = torch.nn.Parameter(torch.zeros(20_000))
    update = StepUpdate([weight], device=device)
    weight.grad = -torch.ones(20_000)
    update.step()
    scales = update.state[weight]["scales"].numpy()
    assert (scales == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert scales[scales > 0].mean() == pytest.approx(1.0, abs=0.01)
    assert scales[scales > 0].std() == pytest.approx(0.3, rel=0.05)
    pairs = update.state[weight]["pairs"].numpy()
    assert np.array_equal(pairs[scales == 0], np.full((scales == 0).sum(), 0.5))


def test_a_saved_device_goes_on_bit_by_bit():
    device = taox_ramps()._replace(between=0.2, stuck=0.05)
    whole, _ = trained(device=device, seed=3)
    half, update = trained(6, device=device, seed=3)
    file = io.BytesIO()
    torch.save((half.state_dict(), update.state_dict()), file)
    file.seek(0)
    weights, state = torch.load(file, weights_only=True)
    rest, _ = trained(state=state, weights=weights, first=6, device=device, seed=3)
    assert same(rest, whole)


def test_large_counters_are_whole_after_a_load():
    weight = torch.nn.Parameter(torch.zeros(1))
    update = StepUpdate([weight], carry=1 << 30)
    weight.grad = torch.zeros(1)
    update.step()
    update.state[weight]["counters"].fill_(2**24 + 1)
    again = StepUpdate([torch.nn.Parameter(torch.zeros(1))], carry=1 << 30)
    again.load_state_dict(update.state_dict())
    (state,) = again.state.values()
    assert state["counters"].item() == 2**24 + 1


def test_the_state_of_another_device_is_refused():
    _, update = trained(2, device=taox_ramps())
    with pytest.raises(EngramError, match=r"'taox-ramps', and this .* has 'ideal, step 0\.1'"):
        trained(2, state=update.state_dict(), device=ideal(0.1))
    with pytest.raises(EngramError, match="and this optimizer has None"):
        trained(2, state=update.state_dict())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"between": 5.0}, "between=5.0: give a fraction"),
        ({"stuck": -0.1}, "stuck=-0.1: give a fraction"),
        ({"rise": np.zeros((1, 5))}, r"rise has shape \(1, 5\)"),
        ({"fall": np.full((2, 2), np.nan)}, "fall has shape"),
        ({"bounds": Range(0.5, 2.0)}, "0.5 to 2 S"),
    ],
)
def test_impossible_devices_are_refused(change, said):
    with pytest.raises(EngramError, match=said):
        StepUpdate([torch.nn.Parameter(torch.zeros(1))], device=ideal(0.1)._replace(**change))


def lookup(path, changes, conductances="1e-5, 2e-5, 3e-5", probabilities="0, 50, 100"):
    rows = "\n".join(", ".join(map(str, row)) for row in changes)
    path.write_text(f"bins, points, changes\n{conductances}\n{probabilities}\n{rows}\n")
    return path


def test_a_table_is_read_and_repaired(tmp_path):
    good = lookup(tmp_path / "up.txt", [[0, 0, 0], [2e-6, 2e-6, 1e-6], [4e-6, 3e-6, 2e-6]])
    fallen = lookup(tmp_path / "down.txt", [[-4e-6] * 3, [0, -1e-6, 0], [-1e-6, 0, 0]])
    with pytest.warns(UserWarning, match=r"down\.txt: .* moved by up to 0\.5 µS"):
        device = read_device("own", good, fallen)
    np.testing.assert_allclose(device.rise[0], [0, 0.1, 0.2], atol=1e-12)
    np.testing.assert_allclose(device.fall[0], [-0.2, -0.025, -0.025], atol=1e-12)
    assert device.bounds == Range(1e-5, 3e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"changes": []}, "conductances, 3 probabilities"),
        ({"changes": [[0, 0]] * 3}, r"changes of shape \(3, 2\)"),
        ({"changes": [[0, 0, "x"]] * 3}, "could not be read as a table"),
        ({"changes": [[0, 0, float("nan")]] * 3}, "not finite"),
        ({"changes": [[0] * 3] * 3, "conductances": "10, 20, 30"}, "10 to 30 S"),
        ({"changes": [[0] * 3] * 3, "conductances": "1e-5, 2e-5, 4e-5"}, "tables of one device"),
    ],
)
def test_impossible_tables_are_refused(tmp_path, settings, said):
    good = lookup(tmp_path / "good.txt", [[0] * 3] * 3)
    with pytest.raises(EngramError, match=said):
        read_device("own", lookup(tmp_path / "bad.txt", **settings), good)


@pytest.mark.data
def test_measured_tables():
    folder = Path(os.environ["ENGRAM_DATA"]) / "memristor"

    def read(number):
        return read_device(
            f"taox-{number}",
            folder / f"taox-device{number}-dG-increasing.txt.xz",
            folder / f"taox-device{number}-dG-decreasing.txt.xz",
        )

    with pytest.warns(UserWarning, match="moved by up to"):
        first = read(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seventh = read(7)
    np.testing.assert_allclose(np.array(first.bounds) * 1e6, [18.6, 118.6], atol=0.1)
    np.testing.assert_allclose(np.array(seventh.bounds) * 1e6, [8.9, 150.0], atol=0.1)
    for device, median in ((first, 152), (seventh, 212)):
        width = 1e6 * (device.bounds.high_s - device.bounds.low_s)
        assert width * np.median(device.rise[0]) == pytest.approx(median, rel=0.02)


@pytest.mark.data
def test_the_device_of_the_ramps_is_what_their_calibration_gives():
    folder = Path(os.environ["ENGRAM_DATA"]) / "memristor"
    files = [folder / f"taox-{name}-pulses.csv" for name in ("set", "reset")]
    ramps = read_ramps(files, Reading("current", read_voltage_v=0.1))
    found = from_calibration("found", calibrate(ramps))
    stated = taox_ramps()
    np.testing.assert_allclose(stated.rise, found.rise, atol=2e-4)
    # of reset pulses a table of steps is as near to the ramps, with jumps between its bins
    np.testing.assert_allclose(stated.fall, found.fall, atol=1.5e-3)
