import pytest
import torch
from torchvision.models.convnext import CNBlock

from litlab.networks import ConvNeXt
from litlab.networks.convnext import Block


def test_a_block_is_that_of_torchvision():
    torch.manual_seed(0)
    ours, theirs, images = Block(8), CNBlock(8, layer_scale=0.1, stochastic_depth_prob=0.0), torch.randn(2, 8, 6, 5)
    own = {"0": "0", "2": "1", "3": "2", "5": "4"}  # names of their layers, and of ours
    state = {
        f"block.{a}.{part}": ours.layers[int(b)].get_parameter(part)
        for a, b in own.items()
        for part in ("weight", "bias")
    }
    state = {name: value.reshape(theirs.state_dict()[name].shape) for name, value in state.items()}
    theirs.load_state_dict(state | {"layer_scale": ours.scale})
    torch.testing.assert_close(ours(images), theirs(images))


def test_images_that_are_too_small_are_refused():
    assert ConvNeXt((1, 8, 9), 3)(torch.zeros(2, 1, 8, 9)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"^input_shape \[3, 7, 8\] does not pass .*: at least 8 x 8"):
        ConvNeXt((3, 7, 8))
    with pytest.raises(ValueError, match="^widths and depths must have a number for each stage"):
        ConvNeXt(widths=[8, 16])
