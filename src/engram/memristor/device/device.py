"""A device: what one set pulse and one reset pulse do to a conductance, as tables of quantiles.

Row i of a table is the conductance i/(rows − 1) of the range, column j the quantile j/(columns − 1)
of the change; between entries it is linear. A pulse draws a quantile, so that noise from cycle to
cycle is part of the table.
"""

import lzma
import math
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import ndtri

from engram.errors import EngramError
from engram.memristor.device.calibrate import Calibration
from engram.memristor.device.ramp import LARGEST_S
from engram.memristor.device.step import Fit, Range

ROWS, COLUMNS = 129, 129
WIDE = Range(1e-6, 1e-4)
TAIL = 1 / 1024
"""Gaussian noise is cut at this quantile, 3.1 standard deviations."""


class Device(NamedTuple):
    """What pulses do to a conductance.

    Attributes:
        name: Its name, which a checkpoint keeps.
        bounds: The range of the conductance.
        rise: Change by a set pulse as a share of the range, (conductance, quantile).
        fall: Change by a reset pulse, 0 or less on the average, (conductance, quantile).
        between: Standard deviation of the size of all steps of a device, between devices, relative
            to the mean: a fraction.
        stuck: Fraction of the devices that no pulse moves.
    """

    name: str
    bounds: Range
    rise: np.ndarray
    fall: np.ndarray
    between: float = 0.0
    stuck: float = 0.0

    def check(self) -> None:
        """Refuse what no device can be.

        Raises:
            EngramError: If a table is too small or not finite, or a fraction is not one.
        """
        for name, table in (("rise", self.rise), ("fall", self.fall)):
            if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
                raise EngramError(
                    f"{name} has shape {table.shape}; give a table (conductance, quantile) of at "
                    "least 2 by 2 finite numbers"
                )
        for name in ("between", "stuck"):
            if not 0 <= getattr(self, name) < 1:
                raise EngramError(
                    f"{name}={getattr(self, name)}: give a fraction from 0 to below 1, such as "
                    "0.05 for 5 %"
                )
        self.bounds.check()


def ideal(step: float, bounds: Range = WIDE) -> Device:
    """A device whose pulses are all equal: pairs of it move weights as numbers do.

    Args:
        step: Change of a weight by a pulse, as a share of its largest magnitude; half of it in
            each device of the pair.
        bounds: The range.

    Raises:
        EngramError: If the step is not between 0 and 1.
    """
    if not 0 < step <= 1:
        raise EngramError(f"step={step}: give the share of a weight's range that a pulse moves it")
    table = np.full((2, 2), step / 2)
    return Device(f"ideal, step {step:g}", bounds, table, -table)


def from_calibration(name: str, calibration: Calibration) -> Device:
    """The device that ramps show, by the model chosen for each direction.

    Args:
        name: Name of the device.
        calibration: Of set ramps and reset ramps.

    Raises:
        EngramError: If one of the directions has no ramps.
    """
    fits = {one.rising: one.chosen.fit for one in calibration.directions}
    if len(fits) < 2:
        raise EngramError(
            f"{name} has {'set' if True in fits else 'reset'} ramps only; give ramps of both "
            "directions"
        )
    return from_fits(name, calibration.bounds, fits[True], fits[False])


def from_fits(name: str, bounds: Range, rise: Fit, fall: Fit) -> Device:
    """The device of two fitted models, with Gaussian noise from cycle to cycle.

    The variation of the fits from ramp to ramp, which is that of one cell, is left out.

    Args:
        name: Name of the device.
        bounds: The range.
        rise: Of set pulses.
        fall: Of reset pulses.
    """
    way = np.linspace(0.0, 1.0, ROWS)[:, None]
    noise = ndtri(np.clip(np.linspace(0.0, 1.0, COLUMNS), TAIL, 1 - TAIL))
    up = rise.mean(way) + rise.cycle * noise
    down = -fall.mean(1 - way) + fall.cycle * noise
    return Device(name, bounds, up, down)


def read_device(name: str, increasing: Path, decreasing: Path) -> Device:
    """A device from measured tables of changes by conductance and cumulative probability.

    A table has a line of text, a line of conductances in siemens, a line of cumulative
    probabilities, and a line of changes at all conductances for each probability (the format of
    CrossSim's lookup tables). Changes that fall with the probability are replaced by the nearest
    that do not, with a warning. A range of conductances beyond that of the table is not assumed:
    changes that leave it stop at its ends.

    Args:
        name: Name of the device.
        increasing: Table of set pulses, text or text compressed by xz.
        decreasing: Table of reset pulses.

    Raises:
        EngramError: If a table cannot be read, is empty or impossible, or their ranges differ.
    """
    (first, rise), (second, fall) = _lookup(increasing), _lookup(decreasing)
    if not np.allclose(first, second, rtol=1e-3):
        raise EngramError(
            f"{increasing} goes from {first[0]:.4g} to {first[1]:.4g} S and {decreasing} from "
            f"{second[0]:.4g} to {second[1]:.4g} S; give the two tables of one device"
        )
    device = Device(name, Range(*first), rise, fall)
    device.check()
    return device


def _lookup(path: Path) -> tuple[tuple[float, float], np.ndarray]:
    """The range of a table and its changes as shares of the range, (conductance, quantile)."""
    try:
        stored = path.read_bytes()
        text = (lzma.decompress(stored) if path.suffix == ".xz" else stored).decode()
        rows = [line.strip(" ,\r\n") for line in text.splitlines() if line.strip()]
        lines = [re.split(r"[,\s]+", row) for row in rows]
        conductance_s, probability, *changes = [list(map(float, line)) for line in lines[1:]]
        table = np.array(changes)
    except (OSError, ValueError, lzma.LZMAError) as error:
        raise EngramError(
            f"{path} could not be read as a table of changes: {error}; give a line of text, one "
            "of conductances, one of cumulative probabilities, and one of changes for each of them"
        ) from error
    if table.shape != (len(probability), len(conductance_s)) or min(table.shape) < 2:
        raise EngramError(
            f"{path} has {len(conductance_s)} conductances, {len(probability)} probabilities and "
            f"changes of shape {table.shape}"
        )
    low, high = conductance_s[0], conductance_s[-1]
    if not (np.isfinite(table).all() and 0 <= low < high <= LARGEST_S):
        raise EngramError(
            f"{path} goes from {low:.4g} to {high:.4g} S or has changes that are not finite; give "
            f"rising conductances between 0 and {LARGEST_S:g} S"
        )
    table = table.T / (high - low)
    risen = np.array([isotonic_regression(row).x for row in table])
    worst = float(np.abs(risen - table).max())
    if worst > 1e-9:  # what is less is rounding
        warnings.warn(
            f"{path.name}: changes that fall with the probability were moved by up to "
            f"{1e6 * worst * (high - low):.2g} µS, so that they do not",
            stacklevel=3,
        )
    levels = np.array(probability) / probability[-1]
    even = np.linspace(0.0, 1.0, len(levels))
    return (low, high), np.array([np.interp(even, levels, row) for row in risen])


def taox_ramps() -> Device:
    """A tantalum oxide device, as `engram memristor calibrate` finds it in published ramps.

    Piecewise models of 39 set ramps and 40 reset ramps, read as currents at 0.1 V (data of
    CrossSim, BSD-3).
    """
    bounds = Range(1.60568e-3, 2.48507e-3)
    rise = Fit(
        "piecewise", np.array([0.00278, 0.00348, 0.00656, 0.00662, 0.00742]), 0.000956, 0.0214
    )
    fall = Fit(
        "piecewise", np.array([0.00470, 0.00744, 0.00641, 0.00596, 0.00592]), 0.000742, 0.0106
    )
    return from_fits("taox-ramps", bounds, rise, fall)


def drawn_scales(
    device: Device, shape: tuple[int, ...], generator: np.random.Generator
) -> np.ndarray:
    """Factors of the steps of devices, 0 where a device is stuck.

    Factors are log-normal, so that none is negative; their mean is 1.

    Args:
        device: The device.
        shape: Shape of the devices.
        generator: Source of the draws.

    Returns:
        float64, in that shape.
    """
    width = math.sqrt(math.log1p(device.between**2))
    scales = np.exp(width * generator.standard_normal(shape) - width**2 / 2)
    scales[generator.random(shape) < device.stuck] = 0.0
    return scales
