"""Grids of small images."""

import pytest
import torch

from litlab.figures import grid


@pytest.mark.parametrize("shape", [(1, 1, 28, 28), (7, 3, 300, 200), (64, 1, 1, 500)])
def test_pictures_of_any_shape_fit_a_page(shape):
    images = torch.zeros(shape, dtype=torch.uint8)
    assert max(grid(images, least=48).shape) <= 7000


def test_images_stand_in_rows():
    images = torch.arange(1, 7, dtype=torch.uint8).view(6, 1, 1, 1).expand(-1, -1, 48, 48)
    page = grid(images, least=48)
    assert page[0, ::50, ::50].tolist() == [[1, 2, 3], [4, 5, 6]]
