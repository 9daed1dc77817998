"""Fits find the law that made a ramp, and ramps that were held out choose it."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from engram.errors import EngramError
from engram.memristor.device import (
    MEANS,
    Ramp,
    Range,
    Reading,
    calibrate,
    fit,
    read_ramps,
    response,
)

BOUNDS = Range(1e-5, 9e-5)


def made(law, *, rising=True, ramps=8, pulses=120, cycle=0.0, between=0.0, seed=0):
    """Ramps of a law for the step, as a share of the range, drawn step by step."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(ramps):
        scale = 1 + between * generator.normal()
        way = [0.02 * number / ramps]
        for _ in range(pulses):
            step = scale * law(way[-1]) + cycle * generator.normal()
            way.append(min(max(way[-1] + step, 0.0), 1.0))
        found.append(Ramp(f"made:{number}", BOUNDS.conductance_s(np.array(way), rising)))
    return found


LAWS = {
    "linear": ((0.007,), lambda u: 0.007),
    "soft-bounds": ((0.03, 1.0), lambda u: 0.03 * (1 - u)),
    "exponential": ((0.015, 1.5), lambda u: 0.015 * math.exp(-1.5 * u)),
    "power": ((0.03, 1.0, 1.7), lambda u: 0.03 * (1 - u) ** 1.7),
}


@pytest.mark.parametrize("rising", [True, False])
@pytest.mark.parametrize("model", LAWS)
def test_a_fit_finds_the_parameters_of_the_law(model, rising):
    parameters, law = LAWS[model]
    found = fit(model, made(law, rising=rising), BOUNDS)
    np.testing.assert_allclose(found.parameters, parameters, rtol=1e-5)
    assert found.cycle < 1e-7
    assert found.between < 1e-5


def test_variations_are_found():
    found = fit("linear", made(LAWS["linear"][1], ramps=200, pulses=100, cycle=0.001), BOUNDS)
    # the standard deviation of 20,000 steps is known to 0.5 %
    assert found.cycle == pytest.approx(0.001, rel=0.03)
    ramps = made(LAWS["linear"][1], ramps=400, pulses=100, between=0.1)
    assert fit("linear", ramps, BOUNDS).between == pytest.approx(0.1, rel=0.15)


def test_the_response_is_the_closed_form_of_soft_bounds():
    found = response("soft-bounds", np.array([0.03, 1.0]), np.array([0.1, 0.5]), 50)
    expected = 1 - np.array([0.9, 0.5]) * 0.97 ** np.arange(51)[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("model", ["soft-bounds", "exponential", "power"])
def test_ramps_that_were_held_out_choose_their_law(model):
    ramps = made(LAWS[model][1], ramps=16, cycle=0.0005)
    (direction,) = calibrate(ramps).directions
    assert direction.rising
    assert len(direction.held_out) == 4
    assert {ramp.name for ramp in direction.fitted + direction.held_out} == {
        ramp.name for ramp in ramps
    }
    by_model = {found.fit.model: found.held_out_s for found in direction.candidates}
    assert list(by_model) == list(MEANS)
    assert by_model[model] <= 1.15 * direction.chosen.held_out_s
    assert by_model["linear"] > 3 * by_model[model]


@pytest.mark.parametrize(
    ("ramps", "settings", "said"),
    [
        ([], {}, "there are no ramps"),
        (made(LAWS["linear"][1], ramps=1), {}, "is the only set ramp"),
        (made(LAWS["linear"][1], ramps=1, rising=False), {}, "is the only reset ramp"),
        (made(LAWS["linear"][1]), {"held_out": 1.0}, "held_out=1.0"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(ramps, settings, said):
    with pytest.raises(EngramError, match=said):
        calibrate(ramps, **settings)


def test_a_fit_refuses_unknown_models_and_two_directions():
    ramps = made(LAWS["linear"][1])
    with pytest.raises(EngramError, match="model='cubic': choose from linear"):
        fit("cubic", ramps, BOUNDS)
    with pytest.raises(EngramError, match="16 ramps, 8 of them rising"):
        fit("linear", ramps + made(LAWS["linear"][1], rising=False), BOUNDS)


@pytest.mark.data
def test_soft_bounds_lose_on_set_ramps_of_tantalum_oxide():
    """The step grows with the conductance there, so soft bounds have the wrong sign."""
    folder = Path(os.environ["ENGRAM_DATA"]) / "memristor"
    files = [folder / "taox-set-pulses.csv", folder / "taox-reset-pulses.csv"]
    ramps = read_ramps(files, Reading("current", read_voltage_v=0.1))
    assert [sum(ramp.rising for ramp in ramps), len(ramps)] == [39, 79]
    set_pulses, reset_pulses = calibrate(ramps).directions
    error = {found.fit.model: found.held_out_s for found in set_pulses.candidates}
    assert error["soft-bounds"] >= 0.99 * max(error.values())
    # the best that soft bounds can do is not to bend at all
    assert set_pulses.candidates[list(MEANS).index("soft-bounds")].fit.parameters[1] > 99
    assert set_pulses.chosen.fit.model == "piecewise"
    assert error["piecewise"] < error["soft-bounds"] / 3
    growing = set_pulses.chosen.fit.mean(np.array([0.1, 0.9]))
    assert growing[1] > 2 * growing[0]
    # noise within a fifth of the range is 0.6-0.9 µS a pulse
    width = 1e6 * np.ptp(np.concatenate([ramp.conductance_s for ramp in ramps]))
    assert 0.6 < width * set_pulses.chosen.fit.cycle < 0.95
    assert 0.6 < width * reset_pulses.chosen.fit.cycle < 0.95
