import pytest
import torch
from torch import nn

from litlab.networks import ViT
from litlab.networks.vit import Attention


def test_attention_is_torchs():
    torch.manual_seed(0)
    ours, theirs, tokens = Attention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True), torch.randn(2, 5, 12)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.inputs.weight,
            "in_proj_bias": ours.inputs.bias,
            "out_proj.weight": ours.output.weight,
            "out_proj.bias": ours.output.bias,
        }
    )
    torch.testing.assert_close(ours(tokens), theirs(tokens, tokens, tokens, need_weights=False)[0])


def test_images_of_any_shape_that_patches_divide():
    assert ViT((1, 28, 20), 3, patch=4, depth=1)(torch.zeros(2, 1, 28, 20)).shape == (2, 3)
    with pytest.raises(ValueError, match="^patch must divide the sides of the images, 30 x 30, not be 4"):
        ViT((3, 30, 30))
    with pytest.raises(ValueError, match="^heads=3 must be at least 1 and divide width=64"):
        ViT(width=64)


def test_the_order_of_the_patches_matters():
    torch.manual_seed(0)
    network, images = ViT(depth=1).eval(), torch.randn(1, 3, 32, 32)
    assert not torch.allclose(network(images), network(images.roll(4, -1)), atol=1e-4)
