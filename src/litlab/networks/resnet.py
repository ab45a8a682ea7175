"""Residual networks (He et al. 2015, https://arxiv.org/abs/1512.03385), from torchvision, for images of any size."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, Bottleneck

from litlab.networks.transfer import Freeze, Head, Transfer, Variant, is_small


class _ResNet(Transfer, models.ResNet):
    """What all ResNets have in common. See `ResNet18` for the arguments."""

    heads = ("fc",)
    block: ClassVar[type[BasicBlock | Bottleneck]]
    depths: ClassVar[list[int]]
    weights: ClassVar[models.WeightsEnum]

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        variant: Variant = "auto",
        head: Head = "replace",
        freeze: Freeze | None = None,
    ) -> None:
        small = is_small(input_shape, variant)
        super().__init__(self.block, self.depths)
        channels = input_shape[0]
        if small:  # section 4.2: full resolution in the first layers, or 32 pixels would be 1 before the last stage
            self.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
            self.maxpool = nn.Identity()
        elif channels != 3:
            self.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        if small or channels != 3:
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.adapt(num_classes, head, freeze)

    @classmethod
    def published(cls, **arguments: Any) -> models.WeightsEnum:
        return cls.weights


class ResNet18(_ResNet):
    """ResNet with 18 layers and 11.2 million parameters: images [B, C, H, W] to outputs [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images, of any size.
        num_classes: number of outputs.
        variant: `imagenet` as published; `small`, for 28 or 32 pixels, with a first convolution of 3x3 and no pooling
            after it; `auto` is small below 64 pixels.
        head: how the 1000 outputs become `num_classes`, see `Transfer`.
        freeze: `backbone` to train the head alone, see `Transfer`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    block, depths, weights = BasicBlock, [2, 2, 2, 2], models.ResNet18_Weights.DEFAULT


class ResNet34(_ResNet):
    """ResNet with 34 layers and 21.3 million parameters. The arguments are those of `ResNet18`."""

    block, depths, weights = BasicBlock, [3, 4, 6, 3], models.ResNet34_Weights.DEFAULT


class ResNet50(_ResNet):
    """ResNet with 50 layers in bottleneck blocks and 23.5 million parameters. The arguments are those of `ResNet18`."""

    block, depths, weights = Bottleneck, [3, 4, 6, 3], models.ResNet50_Weights.DEFAULT
