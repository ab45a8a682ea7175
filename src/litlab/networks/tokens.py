"""What networks share that see an image as tokens, one for each patch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from litlab.networks.shapes import check_image_shape


def mlp(size: int, hidden: int, bias: bool = True) -> nn.Sequential:
    """Two dense layers, [..., size] to [..., size], the last with a bias or without."""
    return nn.Sequential(nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, size, bias=bias))


class TokenNetwork(nn.Module):
    """Patches as tokens, blocks, and a linear layer on the mean of the tokens.

    It maps images [B, C, H, W] to logits [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images; the sides are multiples of `patch`.
        num_classes: number of outputs.
        patch: pixels per side of a patch.
        width: numbers of a token.
        depth: number of blocks.
        make_block: from the number of tokens to a block, [B, N, width] to [B, N, width].
        has_positions: whether each token has a learned position.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        patch: int,
        width: int,
        depth: int,
        make_block: Callable[[int], nn.Module],
        has_positions: bool,
    ) -> None:
        super().__init__()
        tokens = count_patches(input_shape, patch)
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        self.patches = nn.Conv2d(input_shape[0], width, patch, stride=patch)
        self.positions = nn.Parameter(0.02 * torch.randn(1, tokens, width)) if has_positions else None
        self.blocks = nn.Sequential(*(make_block(tokens) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W]."""
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        if self.positions is not None:
            tokens = tokens + self.positions
        return self.head(self.norm(self.blocks(tokens)).mean(1))


def count_patches(input_shape: Sequence[int], patch: int) -> int:
    """How many patches of `patch` x `patch` pixels an image (C, H, W) has.

    Raises:
        ValueError: the image is no image, or patches do not divide it.
    """
    check_image_shape(input_shape)
    _, height, width = input_shape
    if patch < 1 or height % patch or width % patch:
        raise ValueError(f"patch must divide the sides of the images, {height} x {width}, not be {patch}")
    return (height // patch) * (width // patch)
