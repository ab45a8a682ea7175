"""AlexNet (Krizhevsky 2014, https://arxiv.org/abs/1404.5997), from torchvision, for images of any size."""

from collections.abc import Sequence
from typing import Any

from torch import nn
from torchvision import models

from litlab.networks.convnets import flat_features
from litlab.networks.transfer import Freeze, Head, Transfer, Variant, is_small


class AlexNet(Transfer, models.AlexNet):
    """Five convolutions and three dense layers: images [B, C, H, W] to outputs [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images; at least 63 pixels per side if `variant` is imagenet, else 15.
        num_classes: number of outputs.
        variant: `imagenet` as published; `small`, for 28 or 32 pixels, with a first convolution of 3x3 and stride 1,
            and a grid of 2x2 instead of 6x6 before the dense layers; `auto` is small below 64 pixels.
        batch_norm: after each convolution; None means in the small variant only. No published weights have it.
        dropout: probability, in the dense layers.
        head: how the 1000 outputs become `num_classes`, see `Transfer`.
        freeze: `backbone` to train the head alone, see `Transfer`.

    Raises:
        ValueError: the images are too small, or an argument has a wrong value.
    """

    heads = ("classifier.6",)
    features: nn.Sequential
    classifier: nn.Sequential

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        variant: Variant = "auto",
        batch_norm: bool | None = None,
        dropout: float = 0.5,
        head: Head = "replace",
        freeze: Freeze | None = None,
    ) -> None:
        small = is_small(input_shape, variant)
        super().__init__(dropout=dropout)
        if small:
            self.features[0] = nn.Conv2d(input_shape[0], 64, 3, padding=1)
            self.avgpool = nn.AdaptiveAvgPool2d(2)
            self.classifier[1] = nn.Linear(256 * 2 * 2, 4096)
        elif input_shape[0] != 3:
            self.features[0] = nn.Conv2d(input_shape[0], 64, 11, stride=4, padding=2)
        if small if batch_norm is None else batch_norm:
            normed: list[nn.Module] = []
            for layer in self.features:
                normed.append(layer)
                if isinstance(layer, nn.Conv2d):
                    layer.register_parameter("bias", None)  # batch norm has its own
                    normed.append(nn.BatchNorm2d(layer.out_channels))
            self.features = nn.Sequential(*normed)
        self.features.eval()
        flat_features(self.features, input_shape)
        self.features.train()
        self.adapt(num_classes, head, freeze)

    @classmethod
    def published(cls, **arguments: Any) -> models.WeightsEnum:
        if arguments.get("batch_norm"):
            raise ValueError("batch_norm=true has no published weights; leave it out with pretrained=true")
        return models.AlexNet_Weights.DEFAULT
