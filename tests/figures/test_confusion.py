"""Confusion matrices of two to a thousand classes."""

import numpy as np
import pytest
import torch

from litlab.callbacks.tensorboard.confusion import CARD, MOST, TEXT
from litlab.figures import confusion, confusion_matrix
from litlab.figures.confusion import RIGHT, WRONG, cell_colours
from litlab.figures.text import width


def test_counts_are_where_they_belong():
    matrix = torch.zeros(3, 3, dtype=torch.long)
    matrix[0, 0], matrix[1, 1], matrix[2, 0] = 5, 5, 5
    page = confusion_matrix(matrix, ["a", "b", "c"]).permute(1, 2, 0).numpy()
    full = (page == RIGHT).all(2) | (page == WRONG).all(2)
    rows, columns = full.sum(1) > 60, full.sum(0) > 60  # more than the legend has
    top, left = rows.argmax(), columns.argmax()
    side = (len(rows) - rows[::-1].argmax() - top + 1) // 3
    inside = [[page[top + side * row + 6, left + side * column + 6] for column in range(3)] for row in range(3)]
    right = [[tuple(colour) == RIGHT for colour in row] for row in inside]
    wrong = [[tuple(colour) == WRONG for colour in row] for row in inside]
    assert right == [[True, False, False], [False, True, False], [False, False, False]]
    assert wrong == [[False, False, False], [False, False, False], [True, False, False]]
    assert max(confusion_matrix(torch.eye(1000, dtype=torch.long), [str(i) for i in range(1000)]).shape) < 2200


def test_a_small_error_is_seen_and_has_another_colour_than_what_is_right():
    colours = cell_colours(torch.tensor([[94, 6], [0, 100]])).int()
    assert colours[:, 1, 0].tolist() == [255, 255, 255]
    error, right = colours[:, 0, 1], colours[:, 0, 0]
    assert 255 - error.min() > 80  # of six percent
    assert error[0] > error[2]  # orange
    assert right[0] < right[2]  # blue


def test_more_errors_are_darker():
    errors = torch.tensor([[100 - error, error] for error in (1, 3, 10, 30, 50)])
    shades = [cell_colours(torch.stack([row, row]))[:, 0, 1].sum().item() for row in errors]
    assert shades == sorted(shades, reverse=True)
    assert len(set(shades)) == 5


def test_a_row_without_images_is_white():
    assert (cell_colours(torch.tensor([[0, 0], [1, 1]]))[:, 0] == 255).all()


NAMES = {
    "two": ["cat", "dog"],
    "long": [f"{number} a name of a class that goes on and on and on" for number in range(12)],
    "forty": [f"class {number}" for number in range(40)],
    "a hundred": [f"class {number}" for number in range(100)],
    "a thousand": [f"class {number}" for number in range(1000)],
    "other letters": ["Größe", "один", "汉字", "عربي", "line\nbreak", ""],
}


@pytest.mark.parametrize("size", [None, (335, 220)], ids=["free", "in a box"])
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_nothing_touches_the_edge(names, size):
    counts = torch.arange(len(names) ** 2).reshape(len(names), -1)
    page = confusion_matrix(counts, names, title="" if size else "a title", size=size)
    assert page.dtype == torch.uint8
    if size:
        assert tuple(page.shape) == (3, size[1], size[0])
    border = torch.cat(
        [page[:, :3].flatten(), page[:, -2:].flatten(), page[:, :, :3].flatten(), page[:, :, -2:].flatten()]
    )
    assert (border == 255).all()
    assert max(page.shape) < 2200


def test_numbers_stand_in_the_cells_of_up_to_forty_classes():
    """A picture of the same shares and other numbers is another picture, but for large matrices."""
    for count, differ in ((2, True), (40, True), (300, False)):
        counts = torch.eye(count, dtype=torch.long)
        one, ten = (confusion_matrix(counts * factor, ["a"] * count) for factor in (1, 3))
        assert np.array_equal(one, ten) is not differ


@pytest.mark.parametrize("count", [2, 10, 15])
def test_the_text_of_the_card_in_tensorboard_can_be_read_at_half_the_size(count):
    names = ["automobile", *(f"a{number}" for number in range(count - 1))]
    layout = confusion._filling(names, "", CARD, TEXT)
    assert count <= MOST
    assert min(layout.name_size, layout.axis) >= 2 * 8
    assert width("100", 2 * 8) <= layout.cell[0] - 2  # the number of a cell has room, as large as this
    assert layout.cell[1] - 3 >= 2 * 8
    page = confusion_matrix(torch.eye(count, dtype=torch.long), names, size=CARD, text=TEXT)
    assert tuple(page.shape) == (3, CARD[1], CARD[0])


def test_names_that_fit_below_the_cells_are_not_turned():
    digits = confusion_matrix(torch.eye(10, dtype=torch.long), list("0123456789"))
    words = confusion_matrix(torch.eye(10, dtype=torch.long), ["automobile"] * 10)
    assert words.shape[1] - digits.shape[1] > 40  # which the turned names need below


def test_names_stand_upright_before_they_are_cut():
    name = "Geschwindigkeitsbegrenzung"
    page = confusion_matrix(torch.eye(5, dtype=torch.long), [name] * 5)
    assert page.shape[1] > 5 * 104 + width(name, 14)


@pytest.mark.parametrize(("count", "size", "lines"), [(12, (335, 220), 11), (12, None, 11), (100, (335, 220), 9)])
def test_lines_between_the_cells_are_those_of_all_classes_or_of_each_ten(count, size, lines):
    page = confusion_matrix(torch.zeros(count, count, dtype=torch.long), ["a"] * count, size=size)
    colour = torch.tensor([int(confusion.LINE[at : at + 2], 16) for at in (1, 3, 5)], dtype=torch.uint8)
    is_line = (page == colour[:, None, None]).all(0)
    for across in (0, 1):  # a line is as long as the cells
        assert (is_line.sum(across) > 80).sum() == lines
