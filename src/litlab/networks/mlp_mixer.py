"""A small MLP-Mixer for small images (Tolstikhin et al. 2021, https://arxiv.org/abs/2105.01601)."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from litlab.networks.tokens import TokenNetwork, mlp


class MixerBlock(nn.Module):
    """Mixes the tokens of each channel, then the channels of each token: [B, N, width] to [B, N, width]."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        # A bias of each token would be the same in all its channels, and every norm behind it takes that away.
        self.mix_tokens, self.mix_channels = mlp(tokens, width // 2, bias=False), mlp(width, 4 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.mix_tokens(self.norm1(tokens).transpose(1, 2)).transpose(1, 2)
        return tokens + self.mix_channels(self.norm2(tokens))


class MLPMixer(TokenNetwork):
    """Patches as tokens, blocks that mix tokens and channels, and a linear layer on the mean of the tokens.

    It maps images [B, C, H, W] to logits [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images; the sides are multiples of `patch`.
        num_classes: number of outputs.
        patch: pixels per side of a patch.
        width: numbers of a token.
        depth: number of blocks.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        patch: int = 4,
        width: int = 192,
        depth: int = 6,
    ) -> None:
        if width < 2:
            raise ValueError(f"width must be at least 2, not {width}")
        super().__init__(input_shape, num_classes, patch, width, depth, partial(MixerBlock, width=width), False)
