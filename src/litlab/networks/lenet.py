"""LeNet-5 (LeCun et al. 1998), which was used to read cheques."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from litlab.networks.convnets import flat_features

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}
POOLS: dict[str, type[nn.Module]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class LeNet5(nn.Module):
    """Two 5x5 convolutions (6 and 16 channels), each with 2x2 pooling, then dense layers 120-84-`num_classes`.

    LeCun et al. 1998, "Gradient-based learning applied to document recognition", figure 2. It differs from the paper:
    each convolution uses all channels, and the output is linear. `activation="tanh", pool="average"` is closest to it.
    The paper's images have 32x32 pixels; smaller images get a border of two pixels, so 28x28 become 32x32.

    Args:
        input_shape: (C, H, W) of the images; at least 12x12 pixels.
        num_classes: number of outputs.
        activation: after each convolution and each hidden dense layer.
        pool: `max` or `average`, of 2x2 pixels.

    Raises:
        ValueError: the images are too small.
    """

    def __init__(
        self,
        input_shape: Sequence[int] = (1, 28, 28),
        num_classes: int = 10,
        activation: Literal["relu", "tanh"] = "relu",
        pool: Literal["max", "average"] = "max",
    ) -> None:
        super().__init__()
        act, pooling = ACTIVATIONS[activation], POOLS[pool]
        border = 2 if min(input_shape[1:], default=0) < 32 else 0
        self.features = nn.Sequential(
            nn.Conv2d(input_shape[0], 6, 5, padding=border), act(), pooling(2),
            nn.Conv2d(6, 16, 5), act(), pooling(2),
            nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Linear(flat_features(self.features, input_shape), 120), act(),
            nn.Linear(120, 84), act(),
            nn.Linear(84, num_classes),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W]."""
        return self.classifier(self.features(images))
