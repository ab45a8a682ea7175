"""ReLUs that never fire."""

import pytest
import torch
from torch import nn

from litlab.callbacks.diagnosis.dead_units import DeadUnits, fires


@pytest.fixture
def network():
    """Two ReLUs; of the second, units 0 and 1 of five are dead."""
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.ReLU())
    with torch.no_grad():
        network[0].bias.fill_(10.0)
        network[2].weight.zero_()
        network[2].bias.copy_(torch.tensor([-1.0, 0.0, 1.0, 2.0, 3.0]))
    return network


def test_dead_units_are_counted_layer_by_layer(network):
    units = DeadUnits()
    units.begin(network)
    for _ in range(3):
        network(torch.rand(20, 3))
    units.end()
    assert units.counts == [("1", 0, 4), ("3", 2, 5)]


def test_a_few_images_say_nothing(network):
    units = DeadUnits()
    units.begin(network)
    network(torch.rand(20, 3))
    units.end()
    assert units.counts == []


def test_no_more_images_are_watched_than_needed(network):
    units = DeadUnits()
    units.begin(network)
    network(torch.rand(300, 3))
    assert not any(module._forward_hooks for module in network.modules())
    units.end()
    assert units.counts == [("1", 0, 4), ("3", 2, 5)]


def test_a_channel_fires_if_any_of_its_pixels_does():
    activations = torch.zeros(2, 3, 4, 4)
    activations[1, 2, 3, 3] = 1.0
    assert fires(activations).tolist() == [False, False, True]
