"""Devices: ramps of pulses, models of their steps, and the choice between models."""

from engram.memristor.device.calibrate import Calibration, Candidate, Direction, calibrate
from engram.memristor.device.ramp import Quantity, Ramp, Reading, read_ramps
from engram.memristor.device.step import MEANS, Fit, Range, fit, response

__all__ = [
    "MEANS",
    "Calibration",
    "Candidate",
    "Direction",
    "Fit",
    "Quantity",
    "Ramp",
    "Range",
    "Reading",
    "calibrate",
    "fit",
    "read_ramps",
    "response",
]
