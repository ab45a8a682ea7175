"""The network of the CIFAR-10 speed record. Much of what others must learn is computed or set before its training.

Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv:2404.00498, section 3.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCH = 2  # pixels per side of a patch


class BiasedBatchNorm(nn.BatchNorm2d):
    """Batch norm of [B, channels, H, W] that learns a shift and no scale. Its statistics follow within a few steps."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, momentum=0.4)
        scale = self.weight.detach()
        del self.weight
        self.register_buffer("weight", scale)


class Block(nn.Sequential):
    """Two 3x3 convolutions with batch norm and GELU, and 2x2 max pooling after the first convolution.

    It maps [B, channels_in, H, W] to [B, channels, H/2, W/2].
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(
            dirac(nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)), nn.MaxPool2d(2),
            BiasedBatchNorm(channels), nn.GELU(),
            dirac(nn.Conv2d(channels, channels, 3, padding=1, bias=False)),
            BiasedBatchNorm(channels), nn.GELU(),
        )  # fmt: skip


def dirac(conv: nn.Conv2d) -> nn.Conv2d:
    """Makes the first filters copy the input channels (section 3.3). The other filters keep their random weights."""
    nn.init.dirac_(conv.weight.data[: conv.in_channels])
    return conv


class WhitenedCNN(nn.Module):
    """Whitening of 2x2 patches, three blocks of two 3x3 convolutions, and a linear layer without bias.

    It maps images [B, C, H, W] to logits [B, num_classes].

    Args:
        input_shape: (C, H, W) of the images; at least 9x9 pixels.
        num_classes: number of outputs.
        widths: channels of the three blocks.
        test_time: evaluation averages the logits of several versions of an image (section 3.5). `none`: the image
            alone. `mirror`: the image and its mirror image. `mirror_shift`: also both of them moved by one pixel, up
            and left, and down and right; the moved versions together count as much as the others together.

    Raises:
        ValueError: the images are too small, or `widths` has a wrong value.
    """

    whitening: Tensor

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        widths: Sequence[int] = (64, 256, 256),
        test_time: Literal["none", "mirror", "mirror_shift"] = "mirror_shift",
    ) -> None:
        super().__init__()
        if min(input_shape[1:], default=0) < 9:
            raise ValueError(
                f"input_shape {list(input_shape)} does not pass through the network: at least 9 x 9 pixels"
            )
        if len(widths) != 3 or min(widths) < 1:
            raise ValueError(f"widths must be three numbers of channels, not {list(widths)}")
        self.test_time = test_time
        values = input_shape[0] * PATCH**2
        patterns = nn.init.orthogonal_(torch.empty(values, values)).view(values, input_shape[0], PATCH, PATCH)
        self.register_buffer("whitening", torch.cat((patterns, -patterns)))
        self.bias = nn.Parameter(nn.init.uniform_(torch.empty(2 * values), -(values**-0.5), values**-0.5))
        channels = (2 * values, *widths)
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in zip(channels, widths, strict=False)))
        self.head = nn.Linear(widths[-1], num_classes, bias=False)
        nn.init.normal_(self.head.weight)  # so large because the logits are divided by the number of features

    @torch.no_grad()
    def look_at(self, images: Tensor) -> None:
        """Computes the whitening convolution from training images (section 3.2).

        Its filters are the eigenvectors of the patches' covariance, scaled to equal variance, and their negatives.

        Args:
            images: float32 [N, C, H, W], normalised.
        """
        channels = images.shape[1]
        patches = F.unfold(images, PATCH).transpose(1, 2).reshape(-1, channels * PATCH**2).double()
        variances, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (vectors / (variances + 5e-4).sqrt()).T.flip(0).view(-1, channels, PATCH, PATCH)
        self.whitening.copy_(torch.cat((filters, -filters)))

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W]."""
        if self.training or self.test_time == "none":
            return self.logits(images)
        if self.test_time == "mirror":
            return self.mirrored(images)
        padded = F.pad(images, (1, 1, 1, 1), "reflect")
        height, width = images.shape[2:]
        moved = self.mirrored(padded[..., :height, :width]) + self.mirrored(padded[..., 2:, 2:])
        return 0.5 * self.mirrored(images) + 0.25 * moved

    def mirrored(self, images: Tensor) -> Tensor:
        """The mean of the logits of images [B, C, H, W] and of their mirror images, [B, num_classes]."""
        return 0.5 * (self.logits(images) + self.logits(images.flip(-1)))

    def logits(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W] as they are."""
        x = F.gelu(F.conv2d(images, self.whitening, self.bias))
        x = self.blocks(x)
        # Not `amax`: compiled in bfloat16, its gradient looks for a maximum that was rounded away, and is NaN.
        features = F.max_pool2d(x, x.shape[2:]).flatten(1)
        return self.head(features) / features.shape[1]
