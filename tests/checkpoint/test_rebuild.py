"""Weights that are not those of the network that a checkpoint names."""

import torch
from checkpoints import refused

from litlab import checkpoint


def test_weights_must_be_the_networks(write, weights):
    first = next(iter(weights))
    wrong = {
        "lacks 1 of": {k: v for k, v in weights.items() if k != first},
        "1 weights the network has not": {**weights, "network.more": torch.ones(1)},
        "the network needs [4, 784]": {**weights, first: torch.ones(4, 783)},
        "the network needs torch.float32": {**weights, first: torch.ones(4, 784, dtype=torch.int64)},
        "complex64": {**weights, first: torch.ones(4, 784, dtype=torch.complex64)},
        "is a list, not a tensor": {**weights, first: [1.0]},
        "is a str, not a tensor": {**weights, first: "text"},
        "not a whole checkpoint": {**weights, first: torch.ones(4, 784).to_sparse()},
        "larger than the whole file": {**weights, first: torch.ones(1).expand(10**7, 10**7)},
    }
    for words, state_dict in wrong.items():
        assert words in refused(write(state_dict))


def test_many_views_of_a_few_bytes(write):
    layers = {f"network.layers.{2 * i + 1}.weight": torch.ones(1).expand(60, 60) for i in range(2000)}
    assert "its tensors are larger than the file" in refused(
        write(layers, network={"name": "litlab.networks.MLP", "args": {"hidden": [60] * 2000}})
    )


def test_half_precision_weights_are_weights(write, weights):
    trained = checkpoint.load(write({name: value.bfloat16() for name, value in weights.items()}))
    assert {p.dtype for p in trained.network.parameters()} == {torch.float32}


def test_weights_that_are_missing_are_named_and_counted(write):
    message = refused(write({"network.more": torch.ones(1)}))
    assert "it lacks 4 of the network's weights: layers.1.weight, layers.1.bias and 2 more" in message
