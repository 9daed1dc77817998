"""`engram memristor calibrate`."""

from dataclasses import dataclass

from engram.cli.study.run import RunForJson, runner
from engram.studies.device_ramps import DeviceRamps


@dataclass(frozen=True, kw_only=True)
class Calibrate(RunForJson):
    """Fit models of a device to ramps of pulses, and choose one by ramps that were held out."""


CalibrateDevice = runner(DeviceRamps, Calibrate)
