"""Tensors as pixels."""

import io

import pytest
import torch
from PIL import Image

from litlab.data import Normalize
from litlab.figures import as_png, scaled, shrunk, viewable


@pytest.mark.parametrize("channels", [1, 3])
def test_normalised_images_come_back(channels):
    images = torch.randint(256, (4, channels, 5, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, std = [0.2, 0.5, 0.7][:channels], [0.3, 0.1, 1.0][:channels]
    assert torch.equal(viewable(Normalize(mean, std)(images), mean, std), images)


def test_maps_use_all_shades():
    maps = torch.tensor([[-3.0, 1.0, 5.0], [7.0, 7.0, 7.0]]).view(2, 1, 1, 3)
    assert scaled(maps).flatten(1).tolist() == [[0, 127, 255], [0, 0, 0]]


def test_large_images_become_smaller_and_small_ones_stay():
    assert shrunk(torch.zeros(2, 3, 400, 100, dtype=torch.uint8), 40).shape == (2, 3, 40, 10)
    assert shrunk(torch.zeros(2, 3, 4, 10, dtype=torch.uint8), 40).shape == (2, 3, 4, 10)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_png_has_the_pixels(channels):
    pixels = torch.randint(256, (channels, 5, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    image = Image.open(io.BytesIO(as_png(pixels)))
    assert image.size == (6, 5)
    red, green, blue = image.getpixel((4, 3))
    assert [red, green, blue] == (pixels[:, 3, 4].tolist() if channels == 3 else [int(pixels[0, 3, 4])] * 3)
