import pytest
import torch

from litlab.networks import MLPMixer
from litlab.networks.mlp_mixer import MixerBlock


def test_images_of_any_shape_that_patches_divide():
    assert MLPMixer((1, 28, 20), 3, patch=4, depth=1)(torch.zeros(2, 1, 28, 20)).shape == (2, 3)
    with pytest.raises(ValueError, match="^patch must divide the sides of the images, 30 x 30, not be 4"):
        MLPMixer((3, 30, 30))
    with pytest.raises(ValueError, match="^depth must be at least 1, not 0"):
        MLPMixer(depth=0)
    with pytest.raises(ValueError, match="^width must be at least 2, not 1"):
        MLPMixer(width=1)


def test_a_block_mixes_tokens_first_and_then_channels():
    torch.manual_seed(0)
    block, tokens = MixerBlock(4, 8), torch.randn(1, 4, 8)
    torch.nn.init.zeros_(block.mix_channels[2].weight)
    torch.nn.init.zeros_(block.mix_channels[2].bias)
    changed = tokens.clone()
    changed[0, 0] += torch.randn(8)  # another token changes what becomes of this one
    assert not torch.allclose(block(tokens)[0, 1], block(changed)[0, 1], atol=1e-4)
    torch.nn.init.zeros_(block.mix_tokens[2].weight)
    torch.testing.assert_close(block(tokens), tokens)
