"""A small ConvNeXt for small images (Liu et al. 2022, https://arxiv.org/abs/2201.03545)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of [B, C, H, W]."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A 7x7 convolution of each channel, and a small network for each pixel, added to the input [B, width, H, W]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 7, padding=3, groups=width), ChannelNorm(width),
            nn.Conv2d(width, 4 * width, 1), nn.GELU(),
            nn.Conv2d(4 * width, width, 1),
        )  # fmt: skip
        self.scale = nn.Parameter(torch.full((width, 1, 1), 0.1))

    def forward(self, images: Tensor) -> Tensor:
        return images + self.scale * self.layers(images)


class ConvNeXt(nn.Module):
    """Three stages of blocks, each with half the pixels of the one before: images [B, C, H, W] to [B, num_classes].

    The published networks begin with patches of 4x4 pixels; this one begins with 2x2, as the images are small.

    Args:
        input_shape: (C, H, W) of the images; at least 8x8 pixels.
        num_classes: number of outputs.
        widths: channels of each stage.
        depths: number of blocks of each stage.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        widths: Sequence[int] = (48, 96, 192),
        depths: Sequence[int] = (2, 2, 2),
    ) -> None:
        super().__init__()
        if len(widths) != len(depths) or not widths or min(*widths, *depths) < 1:
            raise ValueError(f"widths and depths must have a number for each stage, not {list(widths)}, {list(depths)}")
        smallest = 2 ** len(widths)
        if len(input_shape) != 3 or min(input_shape[1:]) < smallest:
            raise ValueError(
                f"input_shape {list(input_shape)} does not pass through the network: at least {smallest} x {smallest}"
            )
        layers: list[nn.Module] = [nn.Conv2d(input_shape[0], widths[0], 2, stride=2), ChannelNorm(widths[0])]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if stage:
                layers += [ChannelNorm(widths[stage - 1]), nn.Conv2d(widths[stage - 1], width, 2, stride=2)]
            layers += [Block(width) for _ in range(depth)]
        self.features = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(widths[-1])
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W]."""
        return self.head(self.norm(self.features(images).mean((2, 3))))
