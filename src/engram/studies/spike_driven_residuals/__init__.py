"""Do residuals that add membranes instead of spikes save energy, and at what accuracy?"""

from engram.studies.spike_driven_residuals.study import SpikeDrivenResiduals

__all__ = ["SpikeDrivenResiduals"]
