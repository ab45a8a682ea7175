"""Sheets of pictures with captions."""

import numpy as np
import pytest
import torch

from litlab.figures import Marks, Picture, sheet
from litlab.figures.sheet import fitted


@pytest.mark.parametrize("shape", [(1, 1, 28, 28), (7, 3, 300, 200), (64, 1, 1, 500), (3, 3, 1, 1), (2, 4, 30, 30)])
def test_pictures_of_any_shape_fit_a_page(shape):
    images = torch.zeros(shape, dtype=torch.uint8)
    page = sheet([Picture(image, "a very long name of a class\nis b") for image in images], title="a title")
    assert page.shape[0] == 3
    assert page.shape[2] <= 8 * (140 + 12) + 8


def test_pictures_of_different_sizes_stand_beside_each_other():
    shapes = [(480, 640), (640, 480), (28, 28)]
    pictures = [Picture(torch.full((3, *shape), 90, dtype=torch.uint8)) for shape in shapes]
    grey = (sheet(pictures) == 90).all(0)
    widths = [int(part.any(0).sum()) for part in grey[:, 4:].split(152, 1)][:3]
    heights = [int(part.any(1).sum()) for part in grey[:, 4:].split(152, 1)][:3]
    assert widths == [140, 105, 140]
    assert heights == [105, 140, 140]


def test_pixels_of_small_pictures_stay_squares():
    checkers = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8)[None]
    large = np.array(fitted(checkers, 100))[:, :, 0]
    assert np.array_equal(large, np.kron([[0, 255], [255, 0]], np.ones((50, 50))))


def test_captions_have_their_colour_and_titles_their_place():
    picture = Picture(torch.zeros(1, 28, 28, dtype=torch.uint8), "one\ntwo", "#ff0000")
    page = sheet([picture])
    red = ((page[0] > 200) & (page[1] < 60)).nonzero()[:, 0]
    assert red.min() >= 8 + 140
    assert red.max() - red.min() > 15  # two lines
    assert sheet([picture], "a title").shape[1] > page.shape[1]


def test_marks_are_drawn_where_they_are():
    marks = [Marks(torch.tensor([[0.25, 0.5]]), "#ff0000"), Marks(torch.tensor([[0.75, 2.0]]), "#00ff00", "cross")]
    page = sheet([Picture(torch.zeros(3, 100, 100, dtype=torch.uint8), marks=marks)])
    red, green = ((page[channel] == 255) & (page.sum(0) == 255) for channel in (0, 1))
    left, top = 4 + 6, 8
    assert red.nonzero().float().mean(0).tolist() == pytest.approx([top + 0.5 * 139, left + 0.25 * 139], abs=1)
    assert green.nonzero()[:, 0].max() <= top + 139  # what is outside stays at the edge


def test_what_is_too_wide_loses_its_middle_and_keeps_its_end():
    pictures = [Picture(torch.zeros(1, 28, 28, dtype=torch.uint8), f"{'long ' * 20}{number}") for number in (1, 2)]
    one, two = (sheet([picture]) for picture in pictures)
    assert one.shape == two.shape
    assert not torch.equal(one, two)


def test_a_long_caption_is_folded_where_that_is_asked():
    picture = Picture(
        torch.zeros(1, 28, 28, dtype=torch.uint8), "the_name_of_a_class_that_is_long 74%\nfile.png", "#ff0000"
    )
    one, two = sheet([picture], columns=1, side=100), sheet([picture], columns=1, side=100, fold=True)
    assert two.shape[1] - one.shape[1] == 15  # one more line
    assert two.shape[2] == one.shape[2]
