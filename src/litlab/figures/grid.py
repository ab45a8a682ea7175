"""Many small images side by side."""

import math

from torch import Tensor

from litlab.figures.pixels import rgb, shrunk


def grid(images: Tensor, least: int, most: int = 96, gap: int = 2) -> Tensor:
    """Images uint8 [N, C, H, W] side by side: uint8 [3, H', W'].

    Args:
        least: enlarge them, by whole factors, until their shorter side has at least so many pixels.
        most: make them smaller if their longer side has more than so many pixels.
        gap: pixels between two.
    """
    images = rgb(shrunk(images, most))
    if (factor := math.ceil(least / min(images.shape[2:]))) > 1 and factor * max(images.shape[2:]) <= 8 * most:
        images = images.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    count, channels, height, width = images.shape
    height, width = height + gap, width + gap
    columns = math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    page = images.new_full((rows * columns, channels, height, width), 255)
    page[:count, :, : height - gap, : width - gap] = images
    page = page.view(rows, columns, channels, height, width).permute(2, 0, 3, 1, 4)
    return page.reshape(channels, rows * height, columns * width)
