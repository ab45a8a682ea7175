"""The networks of courses, with the MLP beside them."""

import pytest
import torch
from torch import nn

from litlab.networks import MLP, CIFAR10Quick, MnistCNN


def test_default_networks_are_those_of_the_literature():
    def widths(network):
        return [m.out_features for m in network.modules() if isinstance(m, nn.Linear)]

    assert [m.in_features for m in MLP().modules() if isinstance(m, nn.Linear)] == [784, 100]
    assert widths(MnistCNN()) == [200, 100, 10]
    assert [m.in_features for m in CIFAR10Quick().modules() if isinstance(m, nn.Linear)] == [1024, 64]
    assert [m.out_channels for m in CIFAR10Quick().modules() if isinstance(m, nn.Conv2d)] == [32, 32, 64]


@pytest.mark.parametrize("network", [MLP, MnistCNN, CIFAR10Quick])
@pytest.mark.parametrize("input_shape", [(1, 28, 28), (3, 32, 32), (2, 20, 31)])
def test_networks_take_any_shape_and_number_of_classes(network, input_shape):
    logits = network(input_shape, num_classes=7)(torch.rand(3, *input_shape))
    assert logits.shape == (3, 7)


@pytest.mark.parametrize(("network", "size"), [(MnistCNN, 9), (CIFAR10Quick, 7)])
def test_images_that_are_too_small_are_refused_with_their_shape(network, size):
    with pytest.raises(ValueError, match=rf"input_shape \[1, {size}, {size}\] does not pass"):
        network((1, size, size), 10)
    network((1, size + 1, size + 1), 10)
