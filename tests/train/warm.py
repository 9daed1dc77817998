"""What the process that all others are copies of has loaded: modules, and the kernels forward.

It runs nothing backward, because torch's autograd does not work in copies of a process that did.
"""

import torch

from engram.device import threads
from engram.vision import Spikingformer
from tests.train import closed, sleeper, together, trainee

MODULES = closed, sleeper, together, trainee

with threads(1), torch.no_grad():
    trainee.Net()(torch.zeros(2, 6))
    Spikingformer(1, 16, 2, steps=2, in_channels=1, pools=(3, 4))(torch.zeros(2, 1, 16, 16))
