"""Random crops, rotations, blurs and erased boxes for whole batches, as torchvision's transforms of the same name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from litlab.data import operations as op

TRIES = 10  # as in torchvision: boxes that are drawn for an image until one fits


def _uniform(size: tuple[int, ...], low: float, high: float, device: torch.device) -> Tensor:
    return torch.empty(size, device=device).uniform_(low, high)


def _boxes(images: Tensor, scale: Sequence[float], ratio: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Heights and widths of random boxes in pixels, float32 [10, B], of a random part of the area and random shape."""
    B, _, H, W = images.shape
    area = H * W * _uniform((TRIES, B), scale[0], scale[1], images.device)
    shape = torch.exp(_uniform((TRIES, B), math.log(ratio[0]), math.log(ratio[1]), images.device))
    return (area / shape).sqrt().round(), (area * shape).sqrt().round()


def _first(fits: Tensor) -> tuple[Tensor, Tensor]:
    """The first try that fits for each image, int64 [1, B], and whether there is one, bool [B]."""
    return fits.long().argmax(0, keepdim=True), fits.any(0)


def _place(length: Tensor, side: int) -> Tensor:
    """A random start [B] for a box of this length [B] in a side."""
    return (torch.rand(len(length), device=length.device) * (side - length + 1)).floor().clamp(max=side - 1)


def _check_range(name: str, values: Sequence[float], low: float, high: float) -> None:
    if len(values) != 2 or not low < values[0] <= values[1] <= high:
        raise ValueError(f"{name} must be two rising numbers above {low:g}, not {list(values)}")


@dataclass(frozen=True)
class RandomResizedCrop:
    """Cut out a random part of each image and resize it to the size of the image (Szegedy et al. 2014, section 6).

    Args:
        scale: smallest and largest part of the area.
        ratio: smallest and largest width divided by height.

    Raises:
        ValueError: an argument has a wrong value.
    """

    scale: Sequence[float] = (0.08, 1.0)
    ratio: Sequence[float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        _check_range("scale", self.scale, 0, 1)
        _check_range("ratio", self.ratio, 0, math.inf)

    def __call__(self, images: Tensor) -> Tensor:
        H, W = images.shape[2:]
        heights, widths = _boxes(images, self.scale, self.ratio)
        choice, found = _first((heights >= 1) & (heights <= H) & (widths >= 1) & (widths <= W))
        whole_height, whole_width = self._largest(H, W)
        height = torch.where(found, heights.gather(0, choice)[0], whole_height)
        width = torch.where(found, widths.gather(0, choice)[0], whole_width)
        top = torch.where(found, _place(height, H), (H - whole_height) // 2)
        left = torch.where(found, _place(width, W), (W - whole_width) // 2)
        return op.resized_from(images, top, left, height, width)

    def _largest(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the largest box in the middle that has an allowed shape."""
        narrowest, widest = self.ratio
        if width / height < narrowest:
            return round(width / narrowest), width
        if width / height > widest:
            return height, round(height * widest)
        return height, width


@dataclass(frozen=True)
class RandomErasing:
    """Fill a random box of an image with one brightness (Zhong et al. 2017, https://arxiv.org/abs/1708.04896).

    Args:
        p: probability for each image.
        scale: smallest and largest part of the area.
        ratio: smallest and largest height divided by width.
        fill: brightness, 0 to 255; None means noise.

    Raises:
        ValueError: an argument has a wrong value.
    """

    p: float = 0.5
    scale: Sequence[float] = (0.02, 0.33)
    ratio: Sequence[float] = (0.3, 3.3)
    fill: int | None = 0

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"p must be from 0 to 1, not {self.p}")
        _check_range("scale", self.scale, 0, 1)
        _check_range("ratio", self.ratio, 0, math.inf)
        if self.fill is not None and not 0 <= self.fill <= 255:
            raise ValueError(f"fill must be from 0 to 255, or null for noise, not {self.fill}")

    def __call__(self, images: Tensor) -> Tensor:
        B, _, H, W = images.shape
        widths, heights = _boxes(images, self.scale, self.ratio)
        choice, found = _first((heights < H) & (widths < W))
        found = found & (torch.rand(B, device=images.device) < self.p)
        rows = _covered(heights.gather(0, choice)[0], H)
        columns = _covered(widths.gather(0, choice)[0], W)
        box = rows[:, None, :, None] & columns[:, None, None, :] & found[:, None, None, None]
        if self.fill is None:
            return torch.where(box, torch.randint_like(images, 256), images)
        return images.masked_fill(box, self.fill)


def _covered(length: Tensor, side: int) -> Tensor:
    """Which rows (or columns) a box of this length [B] covers at a random place, bool [B, side]."""
    start, place = _place(length, side)[:, None], torch.arange(side, device=length.device)
    return (place >= start) & (place < start + length[:, None])


@dataclass(frozen=True)
class RandomRotation:
    """Turn each image about its centre by a random angle; what comes from outside is black.

    Args:
        degrees: the largest angle in each direction.
        interpolation: `nearest` or `bilinear`.

    Raises:
        ValueError: an argument has a wrong value.
    """

    degrees: float = 15.0
    interpolation: str = "nearest"

    def __post_init__(self) -> None:
        if not 0 <= self.degrees <= 180:
            raise ValueError(f"degrees must be from 0 to 180, not {self.degrees}")
        if self.interpolation not in ("nearest", "bilinear"):
            raise ValueError(f"interpolation must be nearest or bilinear, not {self.interpolation!r}")

    def __call__(self, images: Tensor) -> Tensor:
        angle = _uniform((len(images),), -self.degrees, self.degrees, images.device).double()
        H, W = images.shape[2:]
        return op.moved(images, op.affine_matrices((H, W), angle=-angle), self.interpolation)


@dataclass(frozen=True)
class GaussianBlur:
    """Blur each image with a random strength.

    Args:
        kernel_size: pixels per side that count, an odd number.
        sigma: smallest and largest standard deviation, in pixels.

    Raises:
        ValueError: an argument has a wrong value; or, at the call, the images are smaller than the kernel.
    """

    kernel_size: int = 3
    sigma: Sequence[float] = (0.1, 2.0)

    def __post_init__(self) -> None:
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be an odd number, not {self.kernel_size}")
        _check_range("sigma", self.sigma, 0, math.inf)

    def __call__(self, images: Tensor) -> Tensor:
        if self.kernel_size // 2 >= min(images.shape[2:]):
            raise ValueError(f"kernel_size must be below {2 * min(images.shape[2:])}, not {self.kernel_size}")
        sigma = _uniform((len(images),), self.sigma[0], self.sigma[1], images.device)
        return op.blurred(images, sigma, self.kernel_size)
