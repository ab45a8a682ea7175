"""Transforms of a whole batch at once, on whatever device it is on, drawn anew for each image.

Each takes and returns uint8 [B, C, H, W] and draws from the device's default generator, which
`seed_everything` seeds. None of them loops over images or waits for the GPU.
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

Augmentation = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class RandomCrop:
    """Pad every side by `padding` pixels and cut the image's own size out of it, at a place drawn per image.

    `padding_mode` is `zeros` (black) or `reflect` (mirrored, without repeating the edge).
    He et al. 2015, https://arxiv.org/abs/1512.03385, section 4.2.
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
        else:  # F.pad cannot reflect uint8 on a GPU
            padded = images.index_select(2, self._reflected(H, images.device))
            padded = padded.index_select(3, self._reflected(W, images.device)).flatten()
        padded_H, padded_W = H + 2 * self.padding, W + 2 * self.padding

        # Every run of W neighbouring pixels is a row of `windows`, so the crop is one selection of whole rows.
        windows = padded.as_strided((padded.numel() - W + 1, W), (1, 1))
        down, right = torch.randint(2 * self.padding + 1, (2, B, 1, 1), device=images.device)
        planes = torch.arange(B * C, device=images.device).view(B, C, 1) * padded_H
        rows = planes + down + torch.arange(H, device=images.device)
        return windows.index_select(0, (rows * padded_W + right).flatten()).view(B, C, H, W)

    def _reflected(self, length: int, device: torch.device) -> Tensor:
        place = torch.arange(-self.padding, length + self.padding, device=device).abs()
        return length - 1 - (length - 1 - place).abs()


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Mirror each image left to right with probability `p`."""

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"p must be from 0 to 1, not {self.p}")

    def __call__(self, images: Tensor) -> Tensor:
        return _mirrored(images, torch.rand(len(images), device=images.device) < self.p)


class AlternatingFlip:
    """Mirror each image left to right in every other epoch, so that all are seen both ways, equally often.

    Which half of them begins is decided by the images themselves, by whether the sum of their bytes is odd: so it must
    come before transforms that change the image. Jordan 2024, arXiv:2404.00498, section 3.6.
    """

    def __init__(self) -> None:
        self._epochs: dict[torch.device, Tensor] = {}  # a tensor on each device: a captured step reads what it holds
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Tells which epoch of the training this is, from 0; the data module does."""
        self._epoch = epoch
        for tensor in self._epochs.values():
            tensor.fill_(epoch)

    def __call__(self, images: Tensor) -> Tensor:
        if images.device not in self._epochs:
            self._epochs[images.device] = torch.tensor(self._epoch, device=images.device)
        odd = images.flatten(1).sum(1, dtype=torch.int64) + self._epochs[images.device]
        return _mirrored(images, odd % 2)


def _mirrored(images: Tensor, chosen: Tensor) -> Tensor:
    """Images [B, C, H, W], of which those that are `chosen`, bool or 0 and 1 [B], are mirrored left to right."""
    # Selecting whole images from both versions is several times faster on a CPU than torch.where on uint8.
    B = len(images)
    both = torch.cat((images, images.flip(-1)))
    return both.index_select(0, torch.arange(B, device=images.device) + B * chosen)


@dataclass(frozen=True)
class Cutout:
    """Fill a square of `size` x `size` pixels, centred anywhere in the image and clipped at its edges, with `fill`.

    DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552, section 3.2.
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
        hit_rows = self._hit(B, H, images.device)[:, None, :, None]
        hit_columns = self._hit(B, W, images.device)[:, None, None, :]
        return images.masked_fill(hit_rows & hit_columns, self.fill)

    def _hit(self, batch: int, length: int, device: torch.device) -> Tensor:
        start = torch.randint(length, (batch, 1), device=device) - self.size // 2
        place = torch.arange(length, device=device)
        return (place >= start) & (place < start + self.size)


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness, contrast, saturation and hue, in this order, by factors drawn per image.

    Brightness, contrast and saturation are drawn from [max(0, 1 - x), 1 + x] and mean what they mean in torchvision's
    ColorJitter. Hue, at most 0.5, turns the colours by up to that part of a full circle, either way, in the plane
    of YIQ's I and Q, which keeps grey grey and luma as it is (Haeberli 1993, "Matrix operations for image
    processing"). All four are linear in the colour, so each image gets one 3 x 3 matrix and one offset, and values
    are rounded and clipped once, at the end.

    Grey images have neither saturation nor hue: asking for them there is a ValueError.
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
            mean_grey = grey @ x_BCP.mean(2, keepdim=True)  # colour leaves it as it is, so it can be added last
            x_BCP = torch.baddbmm((1 - contrast) * mean_grey, contrast * colour, x_BCP)
        return x_BCP.round_().clamp_(0, 255).to(torch.uint8).view(B, C, H, W)


@functools.cache
def _colour_basis(device: torch.device) -> Tensor:
    """Three 3 x 3 matrices on RGB: to its luma, to what is left, and that turned by 90 degrees from I to Q."""
    yiq = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]).double()
    quarter = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]).double()
    grey = yiq[0].expand(3, 3)
    return torch.stack((grey, torch.eye(3) - grey, yiq.inverse() @ quarter @ yiq)).float().to(device)


class Normalize:
    """uint8 to float32: (x / 255 - mean) / std, per channel, in a conversion and two passes in place.

    Args:
        mean: one value a channel, on the scale where white is 1; None means 0.
        std: likewise, above 0; None means 1.
    """

    def __init__(self, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> None:
        self.mean = tuple(mean) if mean is not None else (0.0,)
        self.std = tuple(std) if std is not None else (1.0,)
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std must be above 0, not {list(self.std)}")
        self._constants: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"

    def __call__(self, images: Tensor) -> Tensor:
        if images.device not in self._constants:  # copying them at every step would make the GPU wait
            mean, std = torch.tensor(self.mean), torch.tensor(self.std)
            constants = (mean * 255).view(-1, 1, 1), (1 / (std * 255)).view(-1, 1, 1)
            self._constants[images.device] = (constants[0].to(images.device), constants[1].to(images.device))
        shift, scale = self._constants[images.device]
        return images.float().sub_(shift).mul_(scale)


def channel_statistics(
    normalize: Any, channels: int, own: tuple[Sequence[float], Sequence[float]]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, one value a channel, that `normalize` asks for.

    Args:
        normalize: True for `own`, False or None for 0 and 1, or one's own: `{mean: [...], std: [...]}`.
        channels: how many values each must have.
        own: the mean and the standard deviation of the data set.

    Raises:
        ValueError: anything else; the message begins with `normalize`.
    """
    if normalize is None or normalize is False:
        return (0.0,) * channels, (1.0,) * channels
    if normalize is True:
        return tuple(own[0]), tuple(own[1])
    if isinstance(normalize, Mapping) and set(normalize) == {"mean", "std"}:
        normalize = (normalize["mean"], normalize["std"])
    try:
        mean, std = (tuple(float(value) for value in values) for values in normalize)
    except (TypeError, ValueError):
        raise ValueError(f"normalize must be true, false or {{mean: [...], std: [...]}}, not {normalize!r}") from None
    if {len(mean), len(std)} != {channels}:
        raise ValueError(f"normalize must have {channels} mean and std, one a channel, not {normalize!r}")
    if not all(math.isfinite(value) for value in mean + std) or min(std) <= 0:
        raise ValueError(f"normalize must have finite values and std above 0, not {list(mean)} and {list(std)}")
    return mean, std


def try_augmentations(transforms: Iterable[Augmentation], input_shape: Sequence[int], name: str) -> None:
    """Refuses a transform that cannot take `name`'s images of `input_shape` (C, H, W), or returns others.

    Raises:
        ValueError: the message begins with `augment`.
    """
    images = torch.zeros(2, *input_shape, dtype=torch.uint8)
    with torch.random.fork_rng(devices=[]):
        for transform in transforms:
            try:
                found = transform(images)
            except (TypeError, ValueError, RuntimeError) as error:
                raise ValueError(f"augment cannot take {name}'s images: {error}") from error
            if not isinstance(found, Tensor) or found.shape != images.shape or found.dtype != torch.uint8:
                raise ValueError(f"augment must return uint8 images of the same shape; {transform} does not")


AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {
    "random_crop": RandomCrop,
    "random_horizontal_flip": RandomHorizontalFlip,
    "alternating_flip": AlternatingFlip,
    "cutout": Cutout,
    "color_jitter": ColorJitter,
}


def build_augmentations(spec: Iterable[str | Mapping[str, Any] | Augmentation]) -> list[Augmentation]:
    """The transforms that `spec` lists, in order.

    Each entry is a name (`random_crop`), a mapping with the name and arguments (`{name: random_crop, padding: 2}`),
    or a callable of one's own from uint8 [B, C, H, W] to uint8 [B, C, H, W].

    Raises:
        ValueError: a name, an argument or a value that does not exist; the message begins with `augment`.
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
