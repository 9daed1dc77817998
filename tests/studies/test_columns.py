"""The network of sequential CIFAR-10 as a model of images."""

import pytest
import torch
from torch.nn import functional as F

from engram.errors import EngramError
from engram.neuron import PSN
from engram.studies.sequence.columns import ColumnNetwork


def test_time_is_the_width_of_the_image():
    torch.manual_seed(0)
    model = ColumnNetwork(10, 3, 8, width=4).eval()
    images = torch.randn(2, 3, 8, 8)
    columns = torch.stack([images[..., t] for t in range(8)])
    assert torch.equal(model(images), model.network(columns))
    later = images.clone()
    later[..., -1] += 1.0  # changes the last step only
    first = model.network.layers[0], model.network.neurons[0]
    spikes = [first[1](torch.stack([first[0](c) for c in x.unbind(-1)])) for x in (images, later)]
    assert torch.equal(spikes[0][:-1], spikes[1][:-1])


def test_it_has_the_layers_of_the_paper():
    model = ColumnNetwork(neuron=lambda: PSN(32))
    convolutions = 3 * 128 * 3 + 5 * 128 * 128 * 3 + 6 * 2 * 128
    linear = 1024 * 256 + 256 + 256 * 10 + 10
    neurons = 7 * (32 * 32 + 32)
    assert sum(p.numel() for p in model.parameters()) == convolutions + linear + neurons


def test_an_image_of_another_size_is_named():
    with pytest.raises(EngramError, match="6 × 8 pixels for a network of 8 steps"):
        ColumnNetwork(steps=8, width=4)(torch.zeros(1, 3, 6, 8))


def test_it_learns_the_side_of_a_bright_column():
    torch.manual_seed(0)
    model, labels = ColumnNetwork(2, 1, 8, width=4), torch.arange(32) % 2
    images = torch.zeros(32, 1, 8, 8)
    images[torch.arange(32), :, :, 5 * labels + 1] = 3.0
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    assert (model.eval()(images).argmax(1) == labels).all()
