"""The two small convolutional networks of many first courses."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def flat_features(layers: nn.Module, input_shape: Sequence[int]) -> int:
    """Number of values that `layers` makes of one image.

    Args:
        layers: from images [B, C, H, W] to features [B, ...].
        input_shape: (C, H, W) of the image.

    Raises:
        ValueError: the image cannot pass through the layers, for example because it is too small.
    """
    try:
        with torch.no_grad():
            return layers(torch.zeros(1, *input_shape)).numel()
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"input_shape {list(input_shape)} does not pass through the network: {reason}") from None


class MnistCNN(nn.Module):
    """Two 3x3 convolutions (8 and 32 channels), each with 2x2 max pooling, then dense layers 200-100-`num_classes`.

    Args:
        input_shape: (C, H, W) of the images; at least 10x10 pixels.
        num_classes: number of outputs.

    Raises:
        ValueError: the images are too small.
    """

    def __init__(self, input_shape: Sequence[int] = (1, 28, 28), num_classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(input_shape[0], 8, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Linear(flat_features(self.features, input_shape), 200), nn.ReLU(),
            nn.Linear(200, 100), nn.ReLU(),
            nn.Linear(100, num_classes),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W]."""
        return self.classifier(self.features(images))


class CIFAR10Quick(nn.Module):
    """Three 5x5 convolutions (32, 32, 64 channels), each with 2x2 max pooling, then dense layers 64-`num_classes`.

    The layers of Caffe's `cifar10_quick` (https://github.com/BVLC/caffe, examples/cifar10), as PyTorch courses draw
    them: with max pooling everywhere, and without activations unless `relu` is set.

    Args:
        input_shape: (C, H, W) of the images; at least 8x8 pixels.
        num_classes: number of outputs.
        relu: add a ReLU after each convolution and the first dense layer.

    Raises:
        ValueError: the images are too small.
    """

    def __init__(self, input_shape: Sequence[int] = (3, 32, 32), num_classes: int = 10, relu: bool = False) -> None:
        super().__init__()
        activation = nn.ReLU if relu else nn.Identity
        channels = input_shape[0]
        self.features = nn.Sequential(
            nn.Conv2d(channels, 32, 5, padding=2), activation(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 5, padding=2), activation(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2), activation(), nn.MaxPool2d(2),
            nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Linear(flat_features(self.features, input_shape), 64), activation(),
            nn.Linear(64, num_classes),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W]."""
        return self.classifier(self.features(images))
