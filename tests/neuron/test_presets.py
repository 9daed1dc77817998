import pytest
import torch
from torch import nn

from engram.neuron import MaskedPSN, presets
from engram.neuron.presets import Place


def test_the_mask_fades_in_over_the_first_eighth():
    assert [presets.mask_share(epoch, 17) for epoch in (0, 1, 2, 16)] == [0.0, 0.5, 1.0, 1.0]
    assert presets.mask_share(0, 1) == 1.0


def test_fade_reaches_every_masked_neuron():
    net = nn.Sequential(MaskedPSN(2, 3), nn.Sequential(MaskedPSN(1, 3)))
    presets.fade(net, 0.25)
    lams = [module.lam for module in net.modules() if isinstance(module, MaskedPSN)]
    assert lams == [0.25, 0.25]


@pytest.mark.parametrize("name", presets.PRESETS)
def test_a_preset_spikes_and_says_whether_it_knows_one_length(name):
    preset = presets.PRESETS[name]
    neuron = preset.make(Place(T=5, k=2, channels=3, layer=4))
    x = 3 * torch.randn(5, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    assert set(neuron(x).unique().tolist()) <= {0.0, 1.0}
    if preset.fixed_length:
        with pytest.raises(ValueError, match="4 steps"):
            neuron(x[:4])
    else:
        assert neuron(x[:4]).shape == x[:4].shape
