"""VGG (Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556), torchvision's layers, for images of any size."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn
from torchvision import models
from torchvision.models.vgg import cfgs, make_layers

from litlab.networks.transfer import Freeze, Head, Transfer, Variant, is_small


class _VGG(Transfer):
    """What all VGGs have in common. See `VGG11` for the arguments."""

    heads = ("classifier.6",)
    layers: ClassVar[str]  # the name of the configuration in table 1 of the paper
    weights: ClassVar[models.WeightsEnum]
    weights_bn: ClassVar[models.WeightsEnum]

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        variant: Variant = "auto",
        batch_norm: bool = True,
        dropout: float = 0.5,
        head: Head = "replace",
        freeze: Freeze | None = None,
    ) -> None:
        small = is_small(input_shape, variant)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), not {dropout}")
        super().__init__()
        self.features = make_layers(cfgs[self.layers], batch_norm)
        if input_shape[0] != 3:
            self.features[0] = nn.Conv2d(input_shape[0], 64, 3, padding=1)
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                layer.ceil_mode = small  # halved five times, 28 pixels would become 0
        grid, width = (1, 512) if small else (7, 4096)
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.classifier = nn.Sequential(
            nn.Linear(512 * grid * grid, width), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(width, width), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(width, 1000),
        )  # fmt: skip
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                assert module.bias is not None
                nn.init.kaiming_normal_(module.weight, mode="fan_out" if module.weight.ndim == 4 else "fan_in")
                nn.init.zeros_(module.bias)
        self.adapt(num_classes, head, freeze)

    @classmethod
    def published(cls, **arguments: Any) -> models.WeightsEnum:
        return cls.weights_bn if arguments.get("batch_norm", True) else cls.weights

    def forward(self, images: Tensor) -> Tensor:
        """Outputs [B, num_classes] of images [B, C, H, W]."""
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


class VGG11(_VGG):
    """VGG with 11 layers (table 1, configuration A): images [B, C, H, W] to outputs [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images; at least 32 pixels per side if `variant` is imagenet.
        num_classes: number of outputs.
        variant: `imagenet` as published, with dense layers of 4096 after a grid of 7x7; `small`, for 28 or 32 pixels,
            with dense layers of 512 after a grid of 1x1; `auto` is small below 64 pixels.
        batch_norm: after each convolution. Without it VGG hardly learns from scratch.
        dropout: probability, in the dense layers.
        head: how the 1000 outputs become `num_classes`, see `Transfer`.
        freeze: `backbone` to train the head alone, see `Transfer`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    layers, weights, weights_bn = "A", models.VGG11_Weights.DEFAULT, models.VGG11_BN_Weights.DEFAULT


class VGG13(_VGG):
    """VGG with 13 layers (table 1, configuration B). The arguments are those of `VGG11`."""

    layers, weights, weights_bn = "B", models.VGG13_Weights.DEFAULT, models.VGG13_BN_Weights.DEFAULT


class VGG16(_VGG):
    """VGG with 16 layers (table 1, configuration D). The arguments are those of `VGG11`."""

    layers, weights, weights_bn = "D", models.VGG16_Weights.DEFAULT, models.VGG16_BN_Weights.DEFAULT


class VGG19(_VGG):
    """VGG with 19 layers (table 1, configuration E). The arguments are those of `VGG11`."""

    layers, weights, weights_bn = "E", models.VGG19_Weights.DEFAULT, models.VGG19_BN_Weights.DEFAULT
