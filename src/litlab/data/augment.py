"""Random transforms of a whole batch on its device; each image gets its own random numbers.

Each transform takes and returns images uint8 [B, C, H, W]. It uses the default generator of the device, which
`seed_everything` seeds. No transform loops over images or waits for the GPU.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from litlab.data.policies import AutoAugment, RandAugment, TrivialAugment
from litlab.data.random_boxes import GaussianBlur, RandomErasing, RandomResizedCrop, RandomRotation
from litlab.errors import described, name_of, one_line

Augmentation = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class RandomCrop:
    """Pad each side, then cut the original size out at a random place.

    He et al. 2015, https://arxiv.org/abs/1512.03385, section 4.2.

    Args:
        padding: pixels on each side.
        padding_mode: `zeros` (black) or `reflect` (mirrored, without repeating the edge).

    Raises:
        ValueError: an argument has a wrong value; or, at the call, `padding` is too large to reflect the images.
    """

    padding: int = 4
    padding_mode: str = "zeros"

    def __post_init__(self) -> None:
        if self.padding < 0:
            raise ValueError(f"padding must be at least 0, not {self.padding}")
        if self.padding_mode not in ("zeros", "reflect"):
            raise ValueError(f"padding_mode must be zeros or reflect, not {self.padding_mode!r}")

    def __call__(self, images: Tensor) -> Tensor:
        B, C, H, W = images.shape
        if self.padding_mode == "reflect" and self.padding >= min(H, W):
            raise ValueError(f"padding must be under {min(H, W)} to reflect {H} x {W} images, not {self.padding}")
        if self.padding_mode == "zeros":
            padded = F.pad(images, (self.padding,) * 4).flatten()
        else:  # F.pad cannot reflect uint8 images on a GPU
            padded = images.index_select(2, self._reflected(H, images.device))
            padded = padded.index_select(3, self._reflected(W, images.device)).flatten()
        padded_H, padded_W = H + 2 * self.padding, W + 2 * self.padding

        # Each row of `windows` has W neighbouring pixels, so one selection of rows makes all crops.
        windows = padded.as_strided((padded.numel() - W + 1, W), (1, 1))
        down, right = torch.randint(2 * self.padding + 1, (2, B, 1, 1), device=images.device)
        planes = torch.arange(B * C, device=images.device).view(B, C, 1) * padded_H
        rows = planes + down + torch.arange(H, device=images.device)
        return windows.index_select(0, (rows * padded_W + right).flatten()).view(B, C, H, W)

    def _reflected(self, length: int, device: torch.device) -> Tensor:
        """Where each of the padded pixels of a side comes from, int64 [length + 2 * padding]."""
        place = torch.arange(-self.padding, length + self.padding, device=device).abs()
        return length - 1 - (length - 1 - place).abs()


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Mirror each image left to right with probability `p`.

    Raises:
        ValueError: `p` is not from 0 to 1.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"p must be from 0 to 1, not {self.p}")

    def __call__(self, images: Tensor) -> Tensor:
        return _mirrored(images, torch.rand(len(images), device=images.device) < self.p)


class AlternatingFlip:
    """Mirror each image left to right in every other epoch, so that the network sees both versions equally often.

    An image whose bytes have an odd sum begins mirrored. So this transform must come before all transforms that change
    the image. Jordan 2024, arXiv:2404.00498, section 3.6.
    """

    def __init__(self) -> None:
        self._epochs: dict[torch.device, Tensor] = {}  # a tensor on each device: a captured step reads what it holds
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Sets the number of the epoch, from 0. The data module calls this."""
        self._epoch = epoch
        for tensor in self._epochs.values():
            tensor.fill_(epoch)

    def __call__(self, images: Tensor) -> Tensor:
        if images.device not in self._epochs:
            self._epochs[images.device] = torch.tensor(self._epoch, device=images.device)
        odd = images.flatten(1).sum(1, dtype=torch.int64) + self._epochs[images.device]
        return _mirrored(images, odd % 2)


def _mirrored(images: Tensor, chosen: Tensor) -> Tensor:
    """Images [B, C, H, W]; those with a 1 (or True) in `chosen` [B] are mirrored left to right."""
    # On a CPU, selecting whole images from both versions is several times faster than torch.where on uint8.
    B = len(images)
    both = torch.cat((images, images.flip(-1)))
    return both.index_select(0, torch.arange(B, device=images.device) + B * chosen)


@dataclass(frozen=True)
class Cutout:
    """Fill a square with one brightness. Its centre is anywhere in the image, and the edges may cut it.

    DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552, section 3.2.

    Args:
        size: pixels per side of the square.
        fill: brightness, 0 to 255.

    Raises:
        ValueError: an argument has a wrong value.
    """

    size: int = 8
    fill: int = 0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1, not {self.size}")
        if not 0 <= self.fill <= 255:
            raise ValueError(f"fill must be from 0 to 255, not {self.fill}")

    def __call__(self, images: Tensor) -> Tensor:
        B, _, H, W = images.shape
        rows = self._covered(B, H, images.device)[:, None, :, None]
        columns = self._covered(B, W, images.device)[:, None, None, :]
        return images.masked_fill(rows & columns, self.fill)

    def _covered(self, batch: int, length: int, device: torch.device) -> Tensor:
        """Which rows (or columns) the square of each image covers, bool [batch, length]."""
        start = torch.randint(length, (batch, 1), device=device) - self.size // 2
        place = torch.arange(length, device=device)
        return (place >= start) & (place < start + self.size)


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness, contrast, saturation and hue, in this order, by random factors.

    All four are linear in the colour. So each image gets one 3 x 3 matrix and one offset, and its values are rounded
    and clipped once, at the end. Brightness, contrast and saturation mean the same as in torchvision's ColorJitter.
    Hue turns the colours in the plane of YIQ's I and Q, so grey stays grey and the luma stays the same (Haeberli 1993,
    "Matrix operations for image processing").

    Args:
        brightness: x for a factor from [max(0, 1 - x), 1 + x].
        contrast: likewise.
        saturation: likewise; grey images have none.
        hue: x for a turn by at most x of a full circle in each direction, 0 to 0.5; grey images have none.

    Raises:
        ValueError: an argument has a wrong value; or, at the call, the images do not have 3 channels. One channel is
            allowed without saturation and hue.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"hue must be from 0 to 0.5, not {self.hue}")

    def __call__(self, images: Tensor) -> Tensor:
        B, C, H, W = images.shape
        if C != 3 and (C != 1 or self.saturation or self.hue):
            raise ValueError(f"color_jitter needs 3 channels (without saturation and hue, 1 will do), not {C}")
        brightness, contrast, saturation = (
            torch.empty(B, 1, 1, device=images.device).uniform_(max(0.0, 1 - amount), 1 + amount)
            for amount in (self.brightness, self.contrast, self.saturation)
        )
        x_BCP = images.flatten(2) * brightness
        if C == 1:
            x_BCP = contrast * x_BCP + (1 - contrast) * x_BCP.mean(2, keepdim=True)
        else:
            grey, chroma, turned = _colour_basis(images.device)
            angle = torch.empty(B, 1, 1, device=images.device).uniform_(-self.hue, self.hue) * (2 * math.pi)
            colour = grey + saturation * (angle.cos() * chroma + angle.sin() * turned)
            mean_grey = grey @ x_BCP.mean(2, keepdim=True)  # `colour` does not change it, so it can be added last
            x_BCP = torch.baddbmm((1 - contrast) * mean_grey, contrast * colour, x_BCP)
        return x_BCP.round_().clamp_(0, 255).to(torch.uint8).view(B, C, H, W)


@functools.cache
def _colour_basis(device: torch.device) -> Tensor:
    """Three matrices [3, 3] for RGB: the luma, the rest (the chroma), and the rest turned by 90 degrees from I to Q."""
    yiq = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]).double()
    quarter = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]).double()
    grey = yiq[0].expand(3, 3)
    return torch.stack((grey, torch.eye(3) - grey, yiq.inverse() @ quarter @ yiq)).float().to(device)


def try_augmentations(transforms: Iterable[Augmentation], input_shape: Sequence[int], name: str) -> None:
    """Apply each transform to a small batch, to find errors before the training.

    Args:
        transforms: from uint8 [B, C, H, W] to uint8 [B, C, H, W].
        input_shape: (C, H, W) of the images.
        name: of the data set, for the message.

    Raises:
        ValueError: a transform fails, or returns another shape or dtype; the message begins with `augment`.
    """
    images = torch.zeros(2, *input_shape, dtype=torch.uint8)
    with torch.random.fork_rng(devices=[]):
        for transform in transforms:
            try:
                found = transform(images)
            except Exception as error:  # of any kind: the transform may be a user's own
                raise ValueError(f"augment cannot take {name}'s images: {one_line(error)}") from error
            if not isinstance(found, Tensor) or found.shape != images.shape or found.dtype != torch.uint8:
                raise ValueError(
                    f"augment must return uint8 images of the same shape: of {described(images)} "
                    f"{name_of(transform)} makes {described(found)}"
                )


AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {
    "random_crop": RandomCrop,
    "random_horizontal_flip": RandomHorizontalFlip,
    "alternating_flip": AlternatingFlip,
    "cutout": Cutout,
    "color_jitter": ColorJitter,
    "rand_augment": RandAugment,
    "trivial_augment": TrivialAugment,
    "auto_augment": AutoAugment,
    "random_resized_crop": RandomResizedCrop,
    "random_rotation": RandomRotation,
    "random_erasing": RandomErasing,
    "gaussian_blur": GaussianBlur,
}


def build_augmentations(spec: Iterable[str | Mapping[str, Any] | Augmentation]) -> list[Augmentation]:
    """The transforms that `spec` lists, in this order.

    Args:
        spec: each entry is a name (`random_crop`), a mapping with the name and arguments
            (`{name: random_crop, padding: 2}`), or your own callable from uint8 [B, C, H, W] to uint8 [B, C, H, W].

    Raises:
        ValueError: a name or an argument does not exist, or has a wrong value; the message begins with `augment`.
    """
    if isinstance(spec, str | Mapping) or not isinstance(spec, Iterable):
        raise ValueError(f"augment must be a list, such as [random_crop, random_horizontal_flip], not {spec!r}")
    return [_build(entry) for entry in spec]


def _build(entry: str | Mapping[str, Any] | Augmentation) -> Augmentation:
    if callable(entry):
        return entry
    arguments: dict[str, Any] = dict(entry) if isinstance(entry, Mapping) else {"name": entry}
    name = arguments.pop("name", None)
    if not isinstance(name, str) or name not in AUGMENTATIONS:
        raise ValueError(f"augment has no {name!r}; choose from {', '.join(AUGMENTATIONS)}")
    known = list(inspect.signature(AUGMENTATIONS[name]).parameters)
    if unknown := [argument for argument in arguments if argument not in known]:
        raise ValueError(f"augment {name} has no argument {unknown[0]!r}; choose from {', '.join(known)}")
    try:
        return AUGMENTATIONS[name](**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"augment {name}: {error}") from error
