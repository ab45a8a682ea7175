"""A sheet of pictures, each with a caption below it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image, ImageDraw
from torch import Tensor

from litlab.figures.pixels import to_image, to_pixels
from litlab.figures.text import cut, fitting_size, font, in_two, width

INK, EDGE = "#1a1a1a", 8  # pixels: around everything
SMALLEST = 9  # pixels: a caption that is too wide at this size is cut
MOST_LINES = 6  # of a caption
GAP, TITLE = 12, 15  # pixels: between two rows, and the size of the title's text


@dataclass(frozen=True)
class Marks:
    """Points to draw on a picture: [P, 2], as fractions of its width and height."""

    points: Tensor
    colour: str = "red"
    shape: Literal["dot", "ring", "cross"] = "dot"


@dataclass(frozen=True)
class Picture:
    """A picture of a sheet.

    Args:
        image: uint8 [C, H, W], of any size.
        caption: of up to `MOST_LINES` lines; what is too wide is cut.
        colour: of the caption.
        marks: points to draw on the picture.
    """

    image: Tensor
    caption: str = ""
    colour: str = INK
    marks: Sequence[Marks] = ()


def sheet(
    pictures: Sequence[Picture],
    title: str = "",
    columns: int = 8,
    side: int = 140,
    gap: int = GAP,
    text: int = 12,
    fold: bool = False,
) -> Tensor:
    """Pictures in rows, with their captions: uint8 [3, H, W].

    Args:
        pictures: at least one.
        title: stands above them.
        columns: how many pictures a row has.
        side: of a picture, the longer side in pixels.
        gap: between two pictures of a row, in pixels. A caption may be as wide as a picture and a gap.
        text: size of the captions, in pixels.
        fold: a line that is too long for the place below its picture becomes two lines.
    """
    if fold:
        pictures = [replace(picture, caption=_folded(picture.caption, side + gap - 4)) for picture in pictures]
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    drawn = [_row(row, side, gap, text) for row in rows]
    top = EDGE + (TITLE + EDGE if title else 0)
    across = max(drawn[0].width, min(width(title, TITLE, True), 900) + EDGE)
    page = Image.new("RGB", (across + EDGE, top + sum(row.height for row in drawn)), "white")
    if title:
        shown = cut(title, TITLE, page.width - 2 * EDGE, True)
        ImageDraw.Draw(page).text((EDGE, EDGE), shown, INK, font(shown, TITLE, True))
    for row in drawn:
        page.paste(row, (EDGE // 2, top))
        top += row.height
    return to_pixels(page)


def _folded(caption: str, most: int) -> str:
    """A caption with two lines in the place of each that is too wide in the smallest letters."""
    return "\n".join(part for line in caption.split("\n") for part in in_two(line, SMALLEST, most))


def enlarged(picture: Picture, side: int) -> Tensor:
    """One picture with its marks, without a caption: uint8 [3, H, W]. Its longer side has `side` pixels."""
    image = fitted(picture.image, side)
    _mark(image, picture.marks)
    return to_pixels(image)


def _row(pictures: Sequence[Picture], side: int, gap: int, text: int) -> Image.Image:
    """One row: the pictures stand on a line, their captions below it."""
    images = [fitted(picture.image, side) for picture in pictures]
    lines = [picture.caption.split("\n")[:MOST_LINES] if picture.caption else [] for picture in pictures]
    line, high = text + 3, max(image.height for image in images)
    height = high + max(map(len, lines)) * line + GAP
    row = Image.new("RGB", (len(pictures) * (side + gap), height), "white")
    draw = ImageDraw.Draw(row)
    for index, (picture, image) in enumerate(zip(pictures, images, strict=True)):
        middle = index * (side + gap) + (side + gap) // 2
        _mark(image, picture.marks)
        row.paste(image, (middle - image.width // 2, high - image.height))
        for number, caption in enumerate(lines[index]):
            size = fitting_size(caption, text, SMALLEST, side + gap - 4)
            shown = cut(caption, size, side + gap - 4)
            place = (middle, high + (number + 1) * line)
            draw.text(place, shown, picture.colour, font(shown, size), anchor="ms")
    return row


def fitted(pixels: Tensor, side: int) -> Image.Image:
    """A picture uint8 [C, H, W] of any size, made so large that its longer side has `side` pixels.

    The pixels of a small picture stay squares.
    """
    height, width = pixels.shape[1:]
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = to_image(pixels)
    if factor < 2:
        return image.resize(size, Image.Resampling.BICUBIC)
    times = math.ceil(factor)
    large = image.resize((width * times, height * times), Image.Resampling.NEAREST)
    return large.resize(size, Image.Resampling.BOX)


def _mark(image: Image.Image, marks: Sequence[Marks]) -> None:
    """Draws points into an image. Those outside are drawn at its edge."""
    draw, radius = ImageDraw.Draw(image), max(2, max(image.size) // 45)
    for mark in marks:
        for across, down in mark.points.clamp(0, 1).tolist():
            x, y = across * (image.width - 1), down * (image.height - 1)
            box = (x - radius, y - radius, x + radius, y + radius)
            if mark.shape == "dot":
                draw.ellipse(box, fill=mark.colour)
            elif mark.shape == "ring":
                draw.ellipse((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1), outline=mark.colour, width=2)
            else:
                for colour, wide in (("white", 4), (mark.colour, 2)):  # the white is seen on any picture
                    draw.line(box, colour, wide)
                    draw.line((box[0], box[3], box[2], box[1]), colour, wide)
