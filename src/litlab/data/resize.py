"""Pictures of any size as images of one size."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from litlab.data.picture_files import as_image

RESIZERS = ("torch", "pillow")
INTERPOLATIONS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def fit(
    image: Image.Image | np.ndarray,
    shape: tuple[int, int, int],
    preprocess: Mapping[str, Any] | None = None,
    random_crop: bool = False,
) -> Tensor:
    """A picture as uint8 [C, H, W]: the shorter side is resized, and the rest is cropped in the centre.

    Evaluation and prediction use it, and so does training by default. Only the part that is kept is resized, so a
    picture one pixel wide never becomes a huge one.

    Args:
        image: mode `L` or `RGB`, or uint8 [H, W, C].
        shape: (C, H, W) of the result; one channel is grey.
        preprocess: may have `resize`, the pixels to which the shorter side is resized (0 means just to fit `shape`),
            and `center_crop`; `center_crop=False` squeezes the picture to `shape` and cuts nothing off. `interpolation`
            is `bilinear` or `bicubic`. `resizer=torch` cuts on whole pixels and is fast, `pillow` cuts between them.
        random_crop: cut at a random place, on whole pixels of the result. A squeezed picture is then cut as if its
            shorter side had `resize` pixels.

    Raises:
        ValueError: C is neither 1 nor 3.
    """
    return Fit(shape, {} if preprocess is None else preprocess, random_crop)(image)


@dataclass(frozen=True)
class Fit:
    """Does what `fit` says, with these arguments, to one picture after the other."""

    shape: tuple[int, int, int]
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    random_crop: bool = False

    def __call__(self, image: Image.Image | np.ndarray) -> Tensor:
        channels, height, width = self.shape
        if channels not in (1, 3):
            raise ValueError(f"pictures have 1 or 3 channels; the network was trained on {channels}")
        if self.preprocess.get("resizer") == "torch":
            return self._by_torch(as_pixels(image, channels))
        image = as_image(image).convert("L" if channels == 1 else "RGB")
        box = self._box(image.size)
        if image.size != (width, height) or box != (0, 0, width, height):
            image = image.resize((width, height), INTERPOLATIONS[self.interpolation], box=box)
        values = np.array(image, dtype=np.uint8).reshape(height, width, channels)
        return torch.from_numpy(values).permute(2, 0, 1).contiguous()

    @property
    def interpolation(self) -> str:
        """`bilinear` or `bicubic`."""
        return str(self.preprocess.get("interpolation", "bilinear"))

    def needed(self, width: int, height: int) -> float:
        """The size that is needed of a picture, as a part of its width and height."""
        kept = self._kept((width, height))
        return max(self.shape[2] / kept[0], self.shape[1] / kept[1])

    def _by_torch(self, pixels: np.ndarray) -> Tensor:
        """Cuts uint8 [H, W, C] on whole pixels, and resizes that with antialiasing."""
        if self._is_fit(pixels):
            return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        start_x, start_y, end_x, end_y = self._box((pixels.shape[1], pixels.shape[0]))
        width, height = max(1, round(end_x - start_x)), max(1, round(end_y - start_y))
        left = min(round(start_x), pixels.shape[1] - width)
        top = min(round(start_y), pixels.shape[0] - height)
        kept = torch.from_numpy(pixels[top : top + height, left : left + width]).permute(2, 0, 1)
        if kept.shape[1:] != self.shape[1:]:
            kept = interpolate(kept[None], self.shape[1:], mode=self.interpolation, antialias=True)[0]
        return kept.contiguous()

    def _is_fit(self, pixels: np.ndarray) -> bool:
        """Whether nothing of uint8 [H, W, C] is to be cut or resized."""
        fits = pixels.shape[:2] == self.shape[1:] and self.preprocess.get("resize", 0) <= min(self.shape[1:])
        return fits and not self.random_crop

    def _kept(self, size: tuple[int, int]) -> tuple[float, float]:
        """Width and height of the part that becomes the result, in pixels of the picture."""
        _, height, width = self.shape
        resize = self.preprocess.get("resize", 0)
        if self.preprocess.get("center_crop", True):
            scale = min(size[0] / width, size[1] / height)  # pixels of the picture per pixel of the result
            if resize:
                scale = min(scale, min(size) / resize)
            return scale * width, scale * height
        if self.random_crop and resize:
            part = min(height, width) / resize
            return part * size[0], part * size[1]
        return size

    def _box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """The part of a picture that becomes the result: left, top, right, bottom, in pixels of the picture."""
        kept = self._kept(size)
        left, top = (
            _start(whole, length, count, self.random_crop)
            for whole, length, count in zip(size, kept, (self.shape[2], self.shape[1]), strict=True)
        )
        # This is left + kept, computed so that a centred part is equally far from both sides, to the last bit.
        right, bottom = size[0] - (size[0] - kept[0] - left), size[1] - (size[1] - kept[1] - top)
        return max(0.0, left), max(0.0, top), min(size[0], right), min(size[1], bottom)


def as_pixels(image: Image.Image | np.ndarray, channels: int) -> np.ndarray:
    """A picture as uint8 [H, W, C] with 1 or 3 channels."""
    if isinstance(image, np.ndarray):
        if image.shape[2] == channels:
            return image
        if channels == 3:
            return image.repeat(3, axis=2)
        image = as_image(image)
    if image.mode != (mode := "L" if channels == 1 else "RGB"):
        image = image.convert(mode)
    return np.array(image, dtype=np.uint8).reshape(image.height, image.width, channels)


def _start(whole: int, kept: float, count: int, random: bool) -> float:
    """Where the kept part of a side starts, in pixels of the picture.

    Args:
        whole: length of the side.
        kept: length of the part that becomes `count` pixels.
        count: pixels of the result.
        random: False for the middle of the side, True for a random number of pixels of the result before the part.
    """
    free = whole - kept
    if not random:
        return free / 2
    pixel = kept / count
    return pixel * int(torch.randint(int(free / pixel + 1e-6) + 1, ()))
