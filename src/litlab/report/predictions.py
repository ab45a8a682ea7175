"""The predictions: the confusion matrix or the fit of a regression, and images with what was predicted."""

from collections.abc import Sequence

from litlab.figures import Marks, Picture, confusion_matrix, sheet
from litlab.figures.confusion import EDGE
from litlab.report.canvas import DPI, GREY, RIGHT, TRAIN, WRONG, Canvas, legend_above, without_frame
from litlab.report.evaluation import PICTURES, Evaluation, Sample

HEADING = 0.25  # inches
TILE, HIGHEST = 102, 190  # pixels: the width of an image with the gap behind it, and of the only row


def draw_predictions(
    canvas: Canvas, names: Sequence[str], found: Evaluation, left: float, top: float, width: float, height: float
) -> None:
    """Draws the confusion matrix of these classes, or of a regression its predictions against the truth."""
    canvas.heading(left, top + 0.05, f"{'Predictions' if found.fit is None else 'Fit'}: {found.images}")
    if found.matrix is not None:
        edge = EDGE / DPI  # the picture has a margin of its own
        size = round((width + 2 * edge) * DPI), round((height - HEADING + edge) * DPI)
        canvas.pixels(left - edge, top + HEADING - edge, confusion_matrix(found.matrix, names, size=size))
        return
    west, south = 0.42, 0.4  # inches, for the numbers and names of the axes
    axes = canvas.axes(left + west, top + HEADING, width - west, height - HEADING - south)
    names_of_axes = ("x", "y") if found.fit is not None else ("true", "predicted")
    axes.set_xlabel(names_of_axes[0], fontsize=9, color=GREY, labelpad=2)
    axes.set_ylabel(names_of_axes[1], fontsize=9, color=GREY, labelpad=2)
    without_frame(axes)
    if found.fit is not None:
        x, y, curve_x, curve_y = (values.numpy() for values in found.fit)
        axes.plot(curve_x, curve_y, color=TRAIN, linewidth=1.8, label="network")
        axes.plot(x, y, "o", color=WRONG, markersize=4, label="points")
        legend_above(axes)
        return
    assert found.values is not None
    true, predicted = (values.numpy() for values in found.values)
    ends = [float(true.min()), float(true.max())]
    axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=":")
    axes.plot(true, predicted, ".", color=TRAIN, alpha=0.35, markersize=5, markeredgewidth=0)


def draw_samples(canvas: Canvas, names: Sequence[str], found: Evaluation, left: float, top: float) -> None:
    """Draws images: right ones above wrong ones, or each with its true and its predicted points."""
    if names:
        canvas.heading(left, top, f"Right (above) and most confidently wrong (below), {found.images}")
        right = [Picture(s.image, f"✓ {names[int(s.true)]}", RIGHT) for s in found.right]
        cross = "\N{MULTIPLICATION SIGN}"  # fonts with Chinese characters have no ballot cross
        wrong = [
            Picture(s.image, f"{cross} {names[int(s.predicted)]}\nis {names[int(s.true)]}", WRONG) for s in found.wrong
        ]
        rows, side, gap = [right, wrong], 72, TILE - 72  # pixels
    else:
        canvas.heading(left, top, f"Landmarks: true (circles) and predicted (crosses), {found.images}")
        located = [_located(sample) for sample in found.right]
        rows, gap = [located[:PICTURES], located[PICTURES:]], 10
        room = TILE if rows[1] else PICTURES * TILE // max(1, len(located))
        side = min(HIGHEST, room - gap)
    down = round(top * DPI) + 16
    for pictures in rows:
        if pictures:
            drawn = sheet(pictures, columns=PICTURES, side=side, gap=gap)
            canvas.pixels(left, down / DPI, drawn)
            down += drawn.shape[1] - 8
    if names and not found.wrong:
        canvas.text(left, down / DPI + 0.3, "none was wrong", color=GREY)


def _located(sample: Sample) -> Picture:
    return Picture(sample.image, marks=[Marks(sample.true, RIGHT, "ring"), Marks(sample.predicted, WRONG, "cross")])
