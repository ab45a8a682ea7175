"""The pictures that predict and evaluate leave: sheets with labels, and the confusion matrix.

Drawn with matplotlib's `Figure`, without pyplot: no window, no backend and no global state.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

COLUMNS = 8
CELL = 1.25  # height of a picture and its label, where its width is 1
LARGEST_MATRIX = 30  # classes whose counts are written into the cells


@dataclass(frozen=True)
class Picture:
    """One picture of a sheet: uint8 [C, H, W], what to write below it, and points [P, 2] as fractions of its size."""

    image: Tensor
    label: str
    points: Tensor | None = None
    good: bool = True


def sheet(pictures: Sequence[Picture], path: Path, title: str = "") -> None:
    """Writes a PNG of pictures in rows of eight, each with its label below."""
    columns = min(COLUMNS, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    figure = Figure(figsize=(1.6 * columns, CELL * 1.6 * rows + 0.4), dpi=100)
    # One pair of axes for all of them, in which a cell is 1 x CELL: a pair for each takes seconds to lay out.
    top = 1 - 0.4 / figure.get_figheight()
    axis = figure.add_axes((0, 0, 1, top))
    for index, picture in enumerate(pictures):
        left, down = index % columns, index // columns * CELL
        _, height, width = picture.image.shape
        scale = 0.94 / max(height, width)
        x, y = left + (1 - width * scale) / 2, down + (0.94 - height * scale)
        extent = (x, x + width * scale, y + height * scale, y)
        axis.imshow(_hwc(picture.image), cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="nearest")
        if picture.points is not None:
            xs, ys = (picture.points * picture.points.new_tensor([width, height]) * scale).T
            axis.plot(xs + x, ys + y, "r.", markersize=4)
        style: dict[str, Any] = {"color": "black" if picture.good else "firebrick", "fontsize": 8, "parse_math": False}
        axis.text(left + 0.5, down + 0.97, picture.label, ha="center", va="top", **style)
    axis.set(xlim=(0, columns), ylim=(rows * CELL, 0), aspect="auto")
    axis.axis("off")
    if title:
        figure.suptitle(title, fontsize=10, parse_math=False)
    figure.savefig(path)


def confusion(matrix: Tensor, class_names: Sequence[str], path: Path, title: str = "") -> None:
    """Writes a PNG of a confusion matrix: int64 [num_classes, num_classes], a row a true class."""
    count = len(class_names)
    shares = (matrix / matrix.sum(1, keepdim=True).clamp(min=1)).numpy()
    side = min(16.0, max(4.0, 0.5 * count + 2))
    figure = Figure(figsize=(side, side), dpi=100, layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.set(xlabel="predicted", ylabel="true", title=title)
    if count <= 100:
        axis.set_xticks(range(count), class_names, rotation=90, fontsize=8, parse_math=False)
        axis.set_yticks(range(count), class_names, fontsize=8, parse_math=False)
    if count <= LARGEST_MATRIX:
        for row, column in np.argwhere(matrix.numpy()):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, str(int(matrix[row, column])), ha="center", va="center", fontsize=7, color=colour)
    figure.savefig(path)


def _hwc(image: Tensor) -> np.ndarray:
    array = image.permute(1, 2, 0).cpu().numpy()
    return array[:, :, 0] if array.shape[2] == 1 else array
