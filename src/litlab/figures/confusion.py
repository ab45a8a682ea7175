"""A confusion matrix as a picture, for TensorBoard, for `confusion_matrix.png` and for the page of a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from litlab.figures.pixels import to_image, to_pixels
from litlab.figures.text import cut, font, widest, width

RIGHT, WRONG = (8, 81, 156), (213, 94, 0)  # blue and orange, which the colour-blind tell apart
WORST = 0.5  # an error of this share of a row, or more, has the full colour
INK, GREY, LINE, FRAME = "#1a1a1a", "#666666", "#d9dce0", "#a0a6ad"
EDGE, GAP = 8, 5  # pixels around everything, and between text and cells
TITLE, AXIS, LEGEND = 15, 12, 11  # pixels: sizes of text
SMALLEST_NAME, SMALLEST_NUMBER = 9, 8  # pixels: sizes of text
MANY = 30  # classes, from which on lines between ten of them count better than lines between small cells
LONGEST_NAME = 260  # pixels: longer names are cut


@dataclass
class Layout:
    """Where the parts of the picture are, in pixels.

    Args:
        count: of the classes.
        cell: width and height of a cell; below 1 where there are more classes than pixels.
        left, top: the upper left corner of the cells.
        every: one in so many classes has a name; 1: all of them.
        beside: these names, for the rows; `below`: for the columns.
        name_size: of the text of the names; `number_size`: at most, of the numbers in the cells.
        upright: whether the names of the columns read upwards.
        south: height of the names of the columns.
        axis: size of the text beside the names.
    """

    count: int
    cell: tuple[float, float]
    left: int
    top: int
    every: int
    beside: list[str]
    below: list[str]
    name_size: int
    number_size: int
    upright: bool
    south: int
    axis: int

    @property
    def extent(self) -> tuple[int, int]:
        """Width and height of all cells together."""
        return round(self.cell[0] * self.count), round(self.cell[1] * self.count)

    @property
    def corner(self) -> tuple[int, int]:
        """The lower right corner of the cells."""
        return self.left + self.extent[0], self.top + self.extent[1]

    @property
    def below_cells(self) -> int:
        """Pixels below the cells: the names, `predicted`, and the gaps."""
        return GAP + self.south + GAP + self.axis + GAP

    def middle(self, row: int, column: int) -> tuple[float, float]:
        return self.left + (column + 0.5) * self.cell[0], self.top + (row + 0.5) * self.cell[1]


def confusion_matrix(
    counts: Tensor, names: Sequence[str], title: str = "", size: tuple[int, int] | None = None, text: int = AXIS
) -> Tensor:
    """A confusion matrix as a picture: uint8 [3, H, W].

    The colour of a cell is its share of its row. Right answers are blue. Wrong answers are orange, on a scale of their
    own: an error of a few percent is seen.

    Args:
        counts: int64 [K, K], a row for each true class, a column for each predicted one.
        names: of the K classes.
        title: stands above the matrix.
        size: the width and height to fill, in pixels; None: as large as the matrix needs, with a legend.
        text: the size of the text in a picture of this `size`, at most.
    """
    counts = counts.cpu()
    layout = _filling(names, title, size, text) if size else _growing(counts, names, title)
    legend = None if size else _legend()
    if legend:
        across = max(layout.corner[0], EDGE + min(900, width(title, TITLE, True)), EDGE + legend.width) + EDGE
        size = across, layout.corner[1] + layout.below_cells + legend.height
    assert size is not None
    page = Image.new("RGB", size, "white")
    if title:
        shown = cut(title, TITLE, size[0] - 2 * EDGE, True)
        ImageDraw.Draw(page).text((EDGE, EDGE), shown, INK, font(shown, TITLE, True))
    if legend:
        page.paste(legend, (EDGE, size[1] - legend.height))
    colours = cell_colours(counts)
    _draw_cells(page, colours, layout)
    _draw_counts(page, counts, colours, layout)
    _draw_names(page, layout)
    _draw_axes(page, layout)
    return to_pixels(page)


def cell_colours(counts: Tensor) -> Tensor:
    """The colours of the cells of a confusion matrix, int64 [K, K]: uint8 [3, K, K]."""
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    strength = (shares / WORST).clamp(max=1).sqrt()  # the root makes small errors visible
    strength.diagonal().copy_(shares.diagonal())
    colours = torch.tensor(WRONG).view(3, 1, 1).repeat(1, *counts.shape)
    colours.diagonal(dim1=1, dim2=2).copy_(torch.tensor(RIGHT)[:, None])
    return _shade(strength, colours)


def _shade(strength: Tensor, colour: Tensor) -> Tensor:
    """White where the strength is 0, and the colour where it is 1: uint8."""
    return (255 + strength * (colour - 255)).round().to(torch.uint8)


# Where everything goes


def _growing(counts: Tensor, names: Sequence[str], title: str) -> Layout:
    """The layout of a picture that is as large as its matrix needs."""
    count = len(names)
    if count > 40:
        side = max(2, min(24, 1300 // count))
        return _layout(names, title, (side, side), (LONGEST_NAME, LONGEST_NAME), 15)
    number = width(str(counts.max().item()), SMALLEST_NUMBER + 1) + 4  # up to 40, a cell has room for its number
    side = max(min(110, 520 // count), 24, number)
    name = widest([cut(name, 14, LONGEST_NAME) for name in names], 14) + 2 * GAP
    across = max(side, name if name * count <= 640 else 0)  # a few long names stand side by side
    return _layout(names, title, (across, side), (LONGEST_NAME, LONGEST_NAME), 15)


def _filling(names: Sequence[str], title: str, size: tuple[int, int], text: int) -> Layout:
    """The layout of a picture of this width and height."""
    longest = (size[0] // 3, size[1] // (3 if len(names) <= 10 else 4))
    layout = _layout(names, title, (1.0, 1.0), longest, text, text)
    for _ in range(3):  # the names and the cells share the room, and each depends on the other
        across = size[0] - layout.left - EDGE
        down = size[1] - layout.top - layout.below_cells
        layout = _layout(names, title, (across / len(names), down / len(names)), longest, text, text)
    return layout


def _layout(
    names: Sequence[str],
    title: str,
    cell: tuple[float, float],
    longest: tuple[int, int],
    largest: int,
    axis: int = AXIS,
) -> Layout:
    size = max(SMALLEST_NAME, min(largest - 1, int(min(cell)) - 2))
    every = next((n for n in (1, 2, 5, 10, 20, 50, 100, 200) if n * min(cell) >= size + 2), 500)
    shown = names[::every]
    beside = [cut(name, size, longest[0]) for name in shown]
    room = int(every * cell[0]) - 4
    upright = widest([cut(name, size, longest[1]) for name in shown], size) > room  # that way, more of them is seen
    below = [cut(name, size, longest[1] if upright else room) for name in shown]
    left = EDGE + axis + GAP + widest(beside, size) + GAP
    top = EDGE + (TITLE + 2 * GAP if title else 0)
    south = widest(below, size) if upright else size
    return Layout(len(names), cell, left, top, every, beside, below, size, largest, upright, south, axis)


# What is drawn


def _draw_cells(page: Image.Image, colours: Tensor, layout: Layout) -> None:
    count, (wide, high) = layout.count, layout.extent
    if min(layout.cell) < 1:  # the darkest colour of several classes, so that none disappears
        colours = -F.adaptive_max_pool2d(-colours.float(), (min(high, count), min(wide, count)))
    cells = to_image(colours.to(torch.uint8)).resize((wide, high), Image.Resampling.NEAREST)
    page.paste(cells, (layout.left, layout.top))
    draw, (right, bottom) = ImageDraw.Draw(page), layout.corner
    step = 1 if count < MANY or min(layout.cell) >= 14 else 10  # classes between two lines
    for index in range(step, count, step) if step * min(layout.cell) >= 7 else ():
        x = math.ceil(layout.left + index * layout.cell[0] - 0.5)
        y = math.ceil(layout.top + index * layout.cell[1] - 0.5)
        draw.line((x, layout.top, x, bottom), LINE)
        draw.line((layout.left, y, right, y), LINE)
    draw.rectangle((layout.left - 1, layout.top - 1, right, bottom), outline=FRAME)


def _draw_counts(page: Image.Image, counts: Tensor, colours: Tensor, layout: Layout) -> None:
    """Writes the number into each cell that is not empty, if the largest number fits."""
    largest = str(counts.max().item())
    wide, high = layout.cell
    sizes = range(min(layout.number_size, int(high) - 3), SMALLEST_NUMBER - 1, -1)
    size = next((size for size in sizes if width(largest, size) <= wide - 2), None)
    if size is None:
        return
    dark = (colours * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0) < 140
    numbers: dict[int, Image.Image] = {}  # drawing text is slow: each number is drawn once, and then copied
    for row, column in (counts + torch.eye(len(counts), dtype=torch.long)).nonzero().tolist():
        value = int(counts[row, column])
        if value not in numbers:
            numbers[value] = _drawn(str(value), size)
        x, y = layout.middle(row, column)
        place = (round(x - numbers[value].width / 2), round(y - numbers[value].height / 2))
        page.paste("white" if dark[row, column] else INK, place, numbers[value])


def _drawn(number: str, size: int) -> Image.Image:
    """A number as a mask that is as high as its digits."""
    left, top, right, bottom = font(number, size).getbbox(number)
    mask = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)))
    ImageDraw.Draw(mask).text((-left, -top), number, 255, font(number, size))
    return mask


def _draw_names(page: Image.Image, layout: Layout) -> None:
    draw, bottom, size = ImageDraw.Draw(page), layout.corner[1], layout.name_size
    margin = size  # a name in the middle of a narrow cell is wider than the cell
    upright = Image.new("RGB", (layout.south, layout.extent[0] + 2 * margin), "white")  # lying, to be turned
    for index, (beside, below) in enumerate(zip(layout.beside, layout.below, strict=True)):
        x, y = layout.middle(index * layout.every, index * layout.every)
        draw.text((layout.left - GAP, y), beside, INK, font(beside, size), anchor="rm")
        if layout.every > 1:
            draw.line((layout.left - 4, y, layout.left - 2, y), GREY)
            draw.line((x, bottom + 1, x, bottom + 3), GREY)
        if layout.upright:
            place = (layout.south, x - layout.left + margin)
            ImageDraw.Draw(upright).text(place, below, INK, font(below, size), anchor="rm")
        else:
            draw.text((x, bottom + GAP + size * 0.8), below, INK, font(below, size), anchor="ms")  # on one line
    if layout.upright:
        page.paste(upright.transpose(Image.Transpose.ROTATE_90), (layout.left - margin, bottom + GAP))


def _draw_axes(page: Image.Image, layout: Layout) -> None:
    below = (layout.left + layout.extent[0] / 2, layout.corner[1] + GAP + layout.south + GAP)
    ImageDraw.Draw(page).text(below, "predicted", GREY, font("", layout.axis), anchor="mt")
    true = Image.new("RGB", (width("true", layout.axis), layout.axis), "white")
    ImageDraw.Draw(true).text((0, layout.axis / 2), "true", GREY, font("", layout.axis), anchor="lm")
    true = true.transpose(Image.Transpose.ROTATE_90)
    page.paste(true, (EDGE, layout.top + (layout.extent[1] - true.height) // 2))


def _legend() -> Image.Image:
    """What the colours mean, in a line."""
    row = Image.new("RGB", (500, LEGEND + 2 * GAP), "white")
    draw, x, middle = ImageDraw.Draw(row), 0, row.height / 2
    strength = torch.linspace(0, 1, 60)
    ramps = (("share of a row: right", RIGHT, "100 %", strength), ("wrong", WRONG, "50 %", strength.sqrt()))
    for text, colour, most, strengths in ramps:
        draw.text((x, middle), text, GREY, font(text, LEGEND), anchor="lm")
        x += width(text, LEGEND) + GAP
        ramp = _shade(strengths, torch.tensor(colour).view(3, 1, 1)).expand(3, LEGEND - 2, -1)
        row.paste(to_image(ramp), (x, round(middle - ramp.shape[1] / 2)))
        x += len(strengths) + GAP
        draw.text((x, middle), most, GREY, font(most, LEGEND), anchor="lm")
        x += width(most, LEGEND) + 2 * GAP
    return row.crop((0, 0, x, row.height))
