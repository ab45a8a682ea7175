"""Pictures of any size as images of one size."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

INTERPOLATIONS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def fit(
    image: Image.Image,
    shape: tuple[int, int, int],
    preprocess: Mapping[str, Any] | None = None,
    random_crop: bool = False,
) -> Tensor:
    """A picture as uint8 [C, H, W]: the shorter side is resized, and the rest is cropped in the centre.

    Evaluation and prediction use it, and so does training by default. Only the part that is kept is resized, so a
    picture one pixel wide never becomes a huge one.

    Args:
        image: mode `L` or `RGB`.
        shape: (C, H, W) of the result; one channel is grey.
        preprocess: may have `resize`, the pixels to which the shorter side is resized (0 means just to fit `shape`),
            and `center_crop`; `center_crop=False` squeezes the picture to `shape` and cuts nothing off; and
            `interpolation`, `bilinear` or `bicubic`.
        random_crop: cut at a random place, on whole pixels of the result. A squeezed picture is then cut as if its
            shorter side had `resize` pixels.

    Raises:
        ValueError: C is neither 1 nor 3.
    """
    channels, height, width = shape
    if channels not in (1, 3):
        raise ValueError(f"pictures have 1 or 3 channels; the network was trained on {channels}")
    image = image.convert("L" if channels == 1 else "RGB")
    options: dict[str, Any] = {"resize": 0, "center_crop": True, "interpolation": "bilinear"} | dict(preprocess or {})
    kept: tuple[float, float] = image.size
    if options["center_crop"]:
        scale = min(image.width / width, image.height / height)  # pixels of the picture per pixel of the result
        if options["resize"]:
            scale = min(scale, min(image.size) / options["resize"])
        kept = scale * width, scale * height
    elif random_crop and options["resize"]:
        part = min(height, width) / options["resize"]
        kept = part * image.width, part * image.height
    left, top = (
        _start(whole, length, count, random_crop)
        for whole, length, count in zip(image.size, kept, (width, height), strict=True)
    )
    # This is left + kept, computed so that a centred part is equally far from both sides, to the last bit.
    right, bottom = image.width - (image.width - kept[0] - left), image.height - (image.height - kept[1] - top)
    box = max(0.0, left), max(0.0, top), min(image.width, right), min(image.height, bottom)
    if image.size != (width, height) or box != (0, 0, width, height):
        image = image.resize((width, height), INTERPOLATIONS[options["interpolation"]], box=box)
    values = np.array(image, dtype=np.uint8).reshape(height, width, channels)
    return torch.from_numpy(values).permute(2, 0, 1).contiguous()


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
