"""LeNet-5."""

from torch import nn

from litlab.networks import LeNet5


def test_lenet5_is_that_of_the_paper_on_28_and_on_32_pixels():
    for network in (LeNet5((1, 28, 28)), LeNet5((1, 32, 32), activation="tanh", pool="average")):
        assert sum(p.numel() for p in network.parameters()) == 61_706
        assert [m.out_features for m in network.modules() if isinstance(m, nn.Linear)] == [120, 84, 10]
