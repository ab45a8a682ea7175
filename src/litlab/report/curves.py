"""The curves of loss and accuracy."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from litlab.report.canvas import GREY, TITLE, TRAIN, VAL, Canvas, legend_above, without_frame
from litlab.report.page import Curve, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEADINGS = {
    "loss": "Loss",
    "acc": "Accuracy",
    "map": "Mean average precision",
    "r2": "R²",
    "mae": "Mean absolute error",
}
FEW_DECADES = 1e3  # a logarithmic scale over less than this also names 2 and 5 of each power of ten
TICKS, BETWEEN = 0.4, 0.55  # inches: left of the first plot, and between two


def draw_curves(canvas: Canvas, page: Page, left: float, top: float, width: float, height: float) -> None:
    """Draws the loss, and beside it the accuracy of a classification or how good a regression fits."""
    shown, marks, last = shown_metrics(page), _marks(page), _last_step(page)
    plot = (width - TICKS - BETWEEN * (len(shown) - 1)) / len(shown)
    for column, name in enumerate(shown):
        axes = canvas.axes(left + TICKS + column * (plot + BETWEEN), top + 0.25, plot, height - 0.25)
        values = _draw_splits(axes, page, name, marks)
        _draw_best(axes, page, marks)
        epochs = in_epochs([last], marks)[0]
        _dress(axes, name, values, whole_epochs=epochs >= 1)
        axes.set_xlim(0, 1.04 * epochs)


def has_points(page: Page) -> bool:
    """Whether there is more to draw than the loss before the first step."""
    return any(
        _finite(page, f"{split}/{name}") or len(_finite(page, f"{split}/{name}_step")) > 1
        for split in ("train", "val")
        for name in shown_metrics(page)
    )


def shown_metrics(page: Page) -> list[str]:
    """The loss, and the accuracy or precision of a classification, or how good a regression fits."""
    second = next((n for n in ("acc", "map", "r2", "mae") if f"train/{n}" in page.history), None)
    return [name for name in ("loss", second) if name]


def epochs_of(page: Page, steps: Sequence[int]) -> list[float]:
    """Steps of a run as epochs, in order."""
    return [float(epoch) for epoch in in_epochs(steps, _marks(page))]


def _last_step(page: Page) -> int:
    return max([step for curve in page.history.values() for step, _ in curve], default=1) or 1


def _marks(page: Page) -> list[int]:
    """The steps at which an epoch begins or ends; of the last one, those at which it would have ended."""
    ends = [step for step, _ in page.history.get("train/loss", ())]
    begun = ends[-2] if len(ends) > 1 else 0
    end = ends[-1] if ends else _last_step(page)
    return [0, *ends[:-1], max(end, begun + (page.steps_per_epoch or 0))]


def in_epochs(steps: Sequence[int], marks: Sequence[int]) -> np.ndarray:
    """Steps as epochs, which may have different lengths.

    Args:
        marks: the steps at which an epoch begins or ends. Later steps belong to one more epoch.
    """
    begun = max(0, steps[-1] - marks[-1]) / (marks[-1] - marks[-2])
    return np.interp(steps, [*marks, max(steps[-1], marks[-1] + 1)], [*range(len(marks)), len(marks) - 1 + begun])


def _draw_splits(axes: "Axes", page: Page, name: str, marks: Sequence[int]) -> list[float]:
    """Draws the curves of training and validation; returns all their values."""
    values = []
    for split, colour, marker in (("train", TRAIN, "o"), ("val", VAL, "s")):
        within, points = _finite(page, f"{split}/{name}_step"), _finite(page, f"{split}/{name}")
        values += [value for _, value in (*within, *points)]
        if len({step for step, _ in within}) > 1:
            steps, ys = zip(*within, strict=True)
            label = f"{split}, by step"
            axes.plot(in_epochs(steps, marks), ys, color=colour, alpha=0.35, linewidth=1.2, label=label)
        if points:
            steps, ys = zip(*points, strict=True)
            size = 4.5 if len(points) <= 40 else 0
            axes.plot(in_epochs(steps, marks), ys, f"{marker}-", color=colour, label=split, markersize=size)
    return values


def _finite(page: Page, name: str) -> Curve:
    return [(step, value) for step, value in page.history.get(name, ()) if math.isfinite(value)]


def _draw_best(axes: "Axes", page: Page, marks: Sequence[int]) -> None:
    """Draws a line where the best checkpoint was written."""
    if page.best_step:
        epoch = in_epochs([page.best_step], marks)[0]
        axes.axvline(epoch, color=GREY, linewidth=1, linestyle=":", label=f"best: {epoch:.4g}", zorder=0)


def _dress(axes: "Axes", name: str, values: list[float], whole_epochs: bool) -> None:
    """Title, scales, grid and legend of a plot with these values."""
    from matplotlib.ticker import LogLocator, MaxNLocator, PercentFormatter

    axes.set_title(HEADINGS[name], loc="left", **TITLE)
    if name == "loss" and values and min(values) > 0 and max(values) > 30 * min(values):
        axes.set_yscale("log")
        few = max(values) < FEW_DECADES * min(values)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}" if 1e-4 < value < 1e4 else f"{value:.0e}")
        axes.yaxis.set_minor_formatter(lambda *_: "")
    if name == "acc" and values:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylim(top=min(axes.get_ylim()[1], 1.005))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1) if whole_epochs else MaxNLocator(5))
    axes.set_xlabel("epoch", fontsize=9, color=GREY, labelpad=2)
    axes.grid(color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    without_frame(axes)
    if axes.get_legend_handles_labels()[0]:
        legend_above(axes)
    if not axes.lines:  # `values` may have the loss before the first step
        axes.set(xticks=[], yticks=[], xlabel="")
        first = f"{values[0]:.3g} before the first step, and no epoch ended" if values else "no epoch ended"
        axes.text(0.5, 0.5, first, ha="center", va="center", transform=axes.transAxes, color=GREY)
