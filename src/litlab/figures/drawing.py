"""Pictures of pictures, for TensorBoard: drawn with Pillow in milliseconds, as often as an epoch ends.

`litlab.figures` draws with matplotlib, which takes half a second to import and as long for a page.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

LINE = 16  # height of a line of text


def viewable(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Normalised images [N, C, H, W] as a screen shows them: uint8, on the CPU."""
    images = images.detach().float()
    mean_C, std_C = (images.new_tensor(values).view(-1, 1, 1) for values in (mean, std))
    return ((images * std_C + mean_C) * 255).round().clamp(0, 255).to(torch.uint8).cpu()


def scaled(maps: Tensor) -> Tensor:
    """Maps [N, C, H, W] of any range as uint8, each from its own least value to its greatest."""
    low, high = (reduce(maps, dim=(1, 2, 3), keepdim=True) for reduce in (torch.amin, torch.amax))
    return (255 * (maps - low) / (high - low).clamp_min(1e-12)).nan_to_num().to(torch.uint8).cpu()


def shrunk(images: Tensor, side: int) -> Tensor:
    """Images uint8 [N, C, H, W], made smaller if their longer side has more than `side` pixels."""
    height, width = images.shape[2:]
    if (factor := side / max(height, width)) >= 1:
        return images
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    return F.interpolate(images.float(), size, mode="bilinear", antialias=True).round().to(torch.uint8)


def grid(images: Tensor, least: int, most: int = 96, gap: int = 2) -> Tensor:
    """Images uint8 [N, C, H, W] side by side: uint8 [3, H', W'].

    Args:
        least: enlarge them, by whole factors, until their shorter side has at least so many pixels.
        most: make them smaller if their longer side has more than so many pixels.
        gap: pixels between two.
    """
    images = _rgb(shrunk(images, most))
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


def sheet(images: Tensor, captions: Sequence[str], columns: int = 6, width: int = 136) -> Tensor:
    """Images uint8 [N, C, H, W], each with a caption of two lines below: uint8 [3, H', W']."""
    images = _rgb(shrunk(images, width))
    height = max(1, round(width * images.shape[2] / images.shape[3]))
    images = F.interpolate(images, (height, width), mode="nearest")
    rows, font = math.ceil(len(images) / columns), ImageFont.load_default(13)
    row_height = height + 2 * LINE + 8
    page = Image.new("RGB", (columns * (width + 8), rows * row_height), "white")
    draw = ImageDraw.Draw(page)
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = index % columns * (width + 8) + 4, index // columns * row_height + 2
        page.paste(Image.fromarray(image.permute(1, 2, 0).numpy()), (x, y))
        for line, text in enumerate(caption.split("\n")):
            while font.getlength(text) > width + 6 and len(text) > 2:
                text = text[:-2] + "…"
            draw.text((x, y + height + 1 + line * LINE), text, fill="black", font=font)
    return _tensor(page)


def confusion(matrix: Tensor, names: Sequence[str]) -> Tensor:
    """A confusion matrix, int64 [K, K] with a row for each true class, as a picture: uint8 [3, H, W]."""
    count = len(names)
    cell = max(2, min(44, 880 // count))  # pixels
    font, small = ImageFont.load_default(15), ImageFont.load_default(15 if cell >= 30 else 11)
    labelled = cell >= 12
    margin = 40 + (int(max(small.getlength(name) for name in names)) if labelled else 0)
    side = margin + count * cell + 8
    page = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(page)
    shares = matrix.cpu() / matrix.cpu().sum(1, keepdim=True).clamp(min=1)
    white, blue = torch.tensor([255.0, 255, 255]), torch.tensor([8.0, 48, 107])
    colours = white + shares.sqrt()[..., None] * (blue - white)  # the root: a few errors are seen too
    cells = Image.fromarray(colours.to(torch.uint8).numpy()).resize((count * cell,) * 2, Image.Resampling.NEAREST)
    page.paste(cells, (margin, margin))
    draw.rectangle((margin - 1, margin - 1, margin + count * cell, margin + count * cell), outline="grey")
    if cell >= 22:
        for row, column in matrix.nonzero().tolist():
            place = (margin + (column + 0.5) * cell, margin + (row + 0.5) * cell)
            colour = "white" if shares[row, column] > 0.2 else "black"
            draw.text(place, str(int(matrix[row, column])), fill=colour, font=small, anchor="mm")
    for index, name in enumerate(names if labelled else ()):
        middle = margin + (index + 0.5) * cell
        draw.text((margin - 5, middle), name, fill="black", font=small, anchor="rm")
        page.paste(*_upright(name, small, (int(middle), margin - 5)))
    draw.text((margin + count * cell / 2, 4), "predicted", fill="black", font=font, anchor="mt")
    page.paste(*_upright("true", font, (10, margin + count * cell // 2)))
    return _tensor(page)


def _upright(text: str, font: Any, place: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
    """Text that reads upwards and ends above `place`, and where its picture goes."""
    written = Image.new("RGB", (math.ceil(font.getlength(text)) + 1, LINE), "white")
    ImageDraw.Draw(written).text((0, LINE // 2), text, fill="black", font=font, anchor="lm")
    written = written.rotate(90, expand=True)
    return written, (place[0] - written.width // 2, place[1] - written.height)


def _rgb(images: Tensor) -> Tensor:
    channels = images.shape[1]
    return images if channels == 3 else images[:, :1].expand(-1, 3, -1, -1)


def _tensor(page: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(page)).permute(2, 0, 1)
