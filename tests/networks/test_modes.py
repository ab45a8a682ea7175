import pytest
import torch
from torch import nn

from litlab.networks import evaluating, trying_training


class Keeps(nn.Module):
    """It keeps a layer's output, counts its calls in a buffer that it replaces, and has a layer in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
        self.register_buffer("calls", torch.zeros(()))
        self.layers[0].eval()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.calls = self.calls + 1
        self.kept = self.layers(inputs)
        return self.kept


@pytest.mark.parametrize("fails", [False, True])
def test_a_try_in_training_mode_leaves_the_network_as_it_was(fails):
    network = Keeps()
    with evaluating(network):
        network(torch.ones(4, 3))  # what it keeps now cannot be copied
    network.calls.zero_()
    buffers = {name: (buffer, buffer.clone()) for name, buffer in network.named_buffers()}
    random = torch.get_rng_state()
    try:
        with trying_training(network):
            assert all(module.training for module in network.modules())
            network(torch.randn(4, 3))
            assert network.layers[1].num_batches_tracked == 1
            assert not fails or 1 / 0
    except ZeroDivisionError:
        assert fails
    assert [module.training for module in network.layers] == [False, True, True]
    for name, (buffer, values) in buffers.items():
        assert network.get_buffer(name) is buffer
        assert torch.equal(buffer, values)
    assert torch.equal(torch.get_rng_state(), random)
