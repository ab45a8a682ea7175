"""GoogLeNet."""

import torch

from litlab.modules import Classification
from litlab.networks import GoogLeNet


def test_googlenet_trains_its_auxiliary_classifiers():
    torch.manual_seed(0)
    network = GoogLeNet((3, 32, 32), 3, auxiliary_weight=0.3)
    module, images, targets = Classification(network, 3), torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    torch.manual_seed(1)
    output = network(images)
    expected = sum(
        weight * module.loss(x, targets) for weight, x in zip((1, 0.3, 0.3), (output[0], *output[1]), strict=True)
    )
    torch.manual_seed(1)  # for dropout
    torch.testing.assert_close(module.step(images, targets)[0], expected)
    assert isinstance(network.eval()(images), torch.Tensor)
