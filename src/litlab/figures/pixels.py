"""Tensors as pixels that a screen can show, and pixels as files."""

import io
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor


def viewable(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Undoes the normalisation of images [N, C, H, W]: uint8, on the CPU.

    Args:
        mean: one value a channel, on the scale where white is 1.
        std: one value a channel, on the same scale.
    """
    images = images.detach().float()
    mean_C, std_C = (images.new_tensor(values).view(-1, 1, 1) for values in (mean, std))
    return ((images * std_C + mean_C) * 255).round().clamp(0, 255).to(torch.uint8).cpu()


def as_uint8(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Images [N, C, H, W] of a data set as uint8, on the CPU. Those of another type are normalised by `mean` and `std`,
    or of an unknown range if these are empty."""
    if images.dtype == torch.uint8:
        return images.cpu()
    return viewable(images, mean, std) if mean else scaled(images)


def scaled(maps: Tensor) -> Tensor:
    """Maps [N, C, H, W] of any range as uint8: of each, the lowest value is black and the highest is white."""
    low, high = maps.amin((1, 2, 3), keepdim=True), maps.amax((1, 2, 3), keepdim=True)
    return (255 * (maps - low) / (high - low).clamp_min(1e-12)).nan_to_num().to(torch.uint8).cpu()


def shrunk(images: Tensor, side: int) -> Tensor:
    """Images uint8 [N, C, H, W], made smaller if their longer side has more than `side` pixels."""
    height, width = images.shape[2:]
    if (factor := side / max(height, width)) >= 1:
        return images
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    return F.interpolate(images.float(), size, mode="bilinear", antialias=True).round().to(torch.uint8)


def rgb(pixels: Tensor) -> Tensor:
    """Pixels [..., C, H, W] as [..., 3, H, W]. Of other than three channels, the first is shown in grey."""
    if pixels.shape[-3] == 3:
        return pixels
    return pixels[..., :1, :, :].expand(*pixels.shape[:-3], 3, -1, -1)


def to_image(pixels: Tensor) -> Image.Image:
    """Pixels uint8 [C, H, W] as an RGB image of Pillow's."""
    return Image.fromarray(rgb(pixels).permute(1, 2, 0).contiguous().cpu().numpy())


def to_pixels(image: Image.Image) -> Tensor:
    """An RGB image of Pillow's as pixels: uint8 [3, H, W]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def as_png(pixels: Tensor, compression: int = 6) -> bytes:
    """Pixels uint8 [C, H, W] as a PNG file.

    Args:
        compression: from 0 to 9. At 1, a file is a little larger and written in a fraction of the time.
    """
    file = io.BytesIO()
    to_image(pixels).save(file, "PNG", compress_level=compression)
    return file.getvalue()
