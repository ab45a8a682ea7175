"""The layers of a network and their parameters."""

import pytest

from litlab.networks import MnistCNN, ResNet18, WhitenedCNN, summarize


def test_summary_counts_every_parameter_once():
    layers = summarize(MnistCNN(), (1, 28, 28))
    assert layers[0].input_shape == (1, 28, 28)
    assert layers[-1].output_shape == (10,)
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in MnistCNN().parameters()) == 183_726


@pytest.mark.parametrize(
    ("network", "size"), [(WhitenedCNN(widths=[4, 4, 4]), 32), (ResNet18((3, 32, 32), 4, head="append"), 32)]
)
def test_summary_has_layers_once_and_parameters_beside_layers(network, size):
    layers = summarize(network, (3, size, size), max_depth=3)
    assert len({layer.name for layer in layers}) == len(layers)
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in network.parameters())
