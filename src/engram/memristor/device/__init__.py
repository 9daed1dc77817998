"""Devices: ramps of pulses, models of their steps, the choice between models, and pulses."""

from engram.memristor.device.calibrate import Calibration, Candidate, Direction, calibrate
from engram.memristor.device.device import (
    Device,
    from_calibration,
    from_fits,
    ideal,
    read_device,
    taox_ramps,
)
from engram.memristor.device.ramp import Quantity, Ramp, Reading, read_ramps
from engram.memristor.device.step import MEANS, Fit, Range, fit, response

__all__ = [
    "MEANS",
    "Calibration",
    "Candidate",
    "Device",
    "Direction",
    "Fit",
    "Quantity",
    "Ramp",
    "Range",
    "Reading",
    "calibrate",
    "fit",
    "from_calibration",
    "from_fits",
    "ideal",
    "read_device",
    "read_ramps",
    "response",
    "taox_ramps",
]
