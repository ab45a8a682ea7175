"""`report.png`: the run on one page of 1280 x 720, for a slide. matplotlib is imported when a page is drawn."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from litlab.report.collect import PICTURES, SPLITS, Answers, Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Colours that those who cannot tell red from green can tell apart (Okabe and Ito 2008).
TRAIN, VAL, RIGHT, WRONG = "#0072B2", "#D55E00", "#009E73", "#D55E00"
INK, GREY, PALE = "#1a1a1a", "#666666", "#f3f5f7"
TONES = {"learning:": "#e3f4ee", "diverged:": "#fbe4dc"}  # behind a verdict that begins so; any other: ADVICE
ADVICE = "#fdf3d8"
WIDTH, HEIGHT, MARGIN = 12.8, 7.2, 0.45  # inches; at 100 dots per inch a page is 1280 x 720
LINE = 0.205  # inches, of text
MOST_HEADING = 60  # characters of title and headline, side by side, for which there is room
NAMED = 12  # classes whose names and counts are written into the matrix


class Canvas:
    """A figure on which places are inches from the upper left corner."""

    def __init__(self, height: float) -> None:
        from matplotlib.figure import Figure

        self.height = height
        self.figure: Figure = Figure(figsize=(WIDTH, height))

    def axes(self, left: float, top: float, width: float, height: float) -> "Axes":
        place = (left / WIDTH, 1 - (top + height) / self.height, width / WIDTH, height / self.height)
        return self.figure.add_axes(place)

    def text(self, left: float, top: float, text: str, size: float = 9.5, **style: Any) -> None:
        style = {"va": "top", "color": INK, "parse_math": False} | style
        self.figure.text(left / WIDTH, 1 - top / self.height, text, fontsize=size, **style)  # type: ignore[arg-type]


def draw(page: Page) -> "Figure":
    """The page as a figure of 1280 x 720 pixels, or a little higher for a long verdict."""
    lines = [line for sentence in page.sentences for line in textwrap.wrap(f"•  {sentence}", 165) or [""]]
    canvas = Canvas(HEIGHT + LINE * max(0, len(lines) - 3))
    headings = min(21.0, 21 * MOST_HEADING / (len(page.title) + len(page.headline)))  # points
    canvas.text(MARGIN, 0.28, page.title, headings, weight="bold")
    canvas.text(MARGIN, 0.72, page.subtitle, 11, color=GREY)
    bad = page.headline == "failed" or any(sentence.startswith("diverged:") for sentence in page.sentences)
    tone = WRONG if bad else TRAIN
    canvas.text(WIDTH - MARGIN, 0.28, page.headline, headings, weight="bold", ha="right", color=tone)

    foot = canvas.height - 0.3 - LINE * len(lines) - (0.25 if lines else 0)
    found = page.answers
    matrix = found is not None and (found.matrix is not None or found.values is not None)
    samples = found is not None and bool(found.right or found.wrong)
    low = foot - 2.4  # where the lower half begins
    aside = MARGIN + 8.55  # where the right column begins
    curves = aside - 0.35 - MARGIN if matrix else WIDTH - 2 * MARGIN
    _curves(canvas, page, MARGIN, 1.2, curves, low - 1.75)
    if found is not None and matrix:
        _matrix(canvas, page, found, aside, 1.2, WIDTH - MARGIN - aside, low - 1.4)
    if found is not None and samples:
        _samples(canvas, page, found, MARGIN, low, 8.2, 2.25)
    _settings(canvas, page, aside if samples else MARGIN, low)
    if lines:
        _verdict(canvas, lines, foot)
    return canvas.figure


def _curves(canvas: Canvas, page: Page, left: float, top: float, width: float, height: float) -> None:
    second = next((n for n in ("acc", "r2", "mae") if f"train/{n}" in page.history), None)
    shown = [name for name in ("loss", second) if name]
    ends = [step for step, _ in page.history.get("train/loss", ())]
    last = max([step for curve in page.history.values() for step, _ in curve], default=1) or 1
    marks = [0, *ends] if ends else [0, last]  # steps, at which an epoch begins or ends: it may change its length
    pane = (width - 0.4 - 0.55 * (len(shown) - 1)) / len(shown)
    for column, name in enumerate(shown):
        axes = canvas.axes(left + 0.4 + column * (pane + 0.55), top + 0.25, pane, height - 0.25)
        _curve(axes, page, name, marks)
        axes.set_xlim(0, 1.04 * _epochs([last], marks)[0])


def _epochs(steps: Sequence[int], marks: Sequence[int]) -> np.ndarray:
    """Steps in epochs, which begin and end at the steps `marks`; what comes after the last began one more."""
    begun = max(0, steps[-1] - marks[-1]) / (marks[-1] - marks[-2])
    return np.interp(steps, [*marks, max(steps[-1], marks[-1] + 1)], [*range(len(marks)), len(marks) - 1 + begun])


def _curve(axes: "Axes", page: Page, name: str, marks: Sequence[int]) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    everything = []
    for split, colour, marker in (("train", TRAIN, "o"), ("val", VAL, "s")):
        within = [(step, value) for step, value in page.history.get(f"{split}/{name}_step", ()) if math.isfinite(value)]
        points = [(step, value) for step, value in page.history.get(f"{split}/{name}", ()) if math.isfinite(value)]
        everything += [value for _, value in (*within, *points)]
        if len(within) > 1:
            xs, ys = zip(*within, strict=True)
            axes.plot(_epochs(xs, marks), ys, color=colour, alpha=0.35, linewidth=1.2)
        if points:
            xs, ys = zip(*points, strict=True)
            size = 4.5 if len(points) <= 40 else 0
            axes.plot(_epochs(xs, marks), ys, f"{marker}-", color=colour, label=split, markersize=size)
    if name == "loss" and everything and min(everything) > 0 and max(everything) > 30 * min(everything):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}" if 1e-4 < value < 1e4 else f"{value:.0e}")
        axes.yaxis.set_minor_formatter(lambda *_: "")
    if page.best_step:
        axes.axvline(
            _epochs([page.best_step], marks)[0], color=GREY, linewidth=1, linestyle=":", label="best", zorder=0
        )
    axes.set_title(HEADINGS[name], loc="left", **TITLE)
    if name == "acc" and everything:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylim(top=min(axes.get_ylim()[1], 1.005))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch", fontsize=9, color=GREY, labelpad=2)
    axes.grid(color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    _plain(axes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=9, frameon=False, loc="best")
    if len(everything) < 2:
        axes.set(xticks=[], yticks=[], xlabel="")
        first = f"{everything[0]:.3g} before the first step, and no epoch ended" if everything else "no epoch ended"
        axes.text(0.5, 0.5, first, ha="center", va="center", transform=axes.transAxes, color=GREY)


HEADINGS = {"loss": "Loss", "acc": "Accuracy", "r2": "R²", "mae": "Mean absolute error"}
TITLE: dict[str, Any] = {"fontsize": 11, "fontweight": "bold", "color": INK, "pad": 6}


def _plain(axes: "Axes") -> None:
    axes.tick_params(labelsize=8.5, color=GREY, labelcolor=GREY, length=2.5)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#b0b6bd")


def _matrix(canvas: Canvas, page: Page, found: Answers, left: float, top: float, width: float, height: float) -> None:
    """The confusion matrix; of a regression, its answers against the truth."""
    classes = len(page.class_names)
    names = [_short(name, 10) for name in page.class_names] if classes <= NAMED else []
    longest = max(map(len, names), default=2)
    upright = longest > 3  # the names below the matrix
    west, south = 0.28 + 0.068 * longest, 0.24 + (0.068 * longest if upright else 0.16)
    axes = canvas.axes(left + west, top + 0.25, width - west, height - 0.03 - south)
    axes.set_xlabel("true" if found.matrix is None else "predicted", fontsize=9, color=GREY, labelpad=2)
    axes.set_ylabel("predicted" if found.matrix is None else "true", fontsize=9, color=GREY, labelpad=2)
    canvas.text(left, top + 0.03, f"Answers on the {SPLITS[found.split]} set", TITLE["fontsize"], weight="bold")
    _plain(axes)
    if found.matrix is None:
        assert found.values is not None
        true, predicted = (values.numpy() for values in found.values)
        ends = [float(true.min()), float(true.max())]
        axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=":")
        axes.plot(true, predicted, ".", color=TRAIN, alpha=0.35, markersize=5, markeredgewidth=0)
        return
    counts = found.matrix.numpy()
    shares = counts / counts.sum(1, keepdims=True).clip(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    ticks: Sequence[int] = range(classes) if names else range(0, classes, 10 if classes > 30 else 5)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    if names:
        axes.set_xticklabels(names, rotation=90 if upright else 0, parse_math=False)
        axes.set_yticklabels(names, parse_math=False)
    axes.tick_params(length=0, pad=2, labelsize=8)
    if names:
        for row, column in np.argwhere(counts):
            colour = "white" if shares[row, column] > 0.5 else INK
            size = 7.5 if counts.max() < 10_000 else 6
            centred: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": size, "color": colour}
            axes.text(column, row, f"{counts[row, column]}", **centred)


def _samples(canvas: Canvas, page: Page, found: Answers, left: float, top: float, width: float, height: float) -> None:
    rows = [(found.right, RIGHT), (found.wrong, WRONG)]
    if page.class_names:
        title = f"Right (above) and most confidently wrong (below), {SPLITS[found.split]} set"
    else:
        title = f"Points: true (circles) and predicted (crosses), {SPLITS[found.split]} set"
        rows = [(found.right[:PICTURES], INK), (found.right[PICTURES:], INK)]
    axes = canvas.axes(left, top + 0.22, width, height - 0.1)
    axes.set_title(title, loc="left", **TITLE | {"pad": 4})
    axes.set(xlim=(0, width), ylim=(height - 0.1, 0))
    axes.axis("off")
    step = (height - 0.1) / 2
    side = step - (0.36 if page.class_names else 0.08)
    for down, (samples, colour) in enumerate(rows):
        for column, sample in enumerate(samples):
            _, high, wide = sample.image.shape
            scale = side / max(high, wide)
            x = column * width / PICTURES + (width / PICTURES - wide * scale) / 2
            y = down * step + 0.02
            pixels = sample.image.permute(1, 2, 0).numpy()
            pixels = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
            extent = (x, x + wide * scale, y + high * scale, y)
            axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
            if not page.class_names:
                corner, size = np.array([x, y]), np.array([wide * scale, high * scale])
                for points, marker in ((sample.true, "o"), (sample.predicted, "x")):
                    xs, ys = (corner + points.numpy().clip(0, 1) * size).T
                    colour = RIGHT if marker == "o" else WRONG
                    axes.plot(xs, ys, marker, color=colour, markersize=4, fillstyle="none", markeredgewidth=1.2)
                continue
            name = _short(page.class_names[int(sample.predicted)], 11)
            said = f"✓ {name}" if colour == RIGHT else f"✗ {name}\nis {_short(page.class_names[int(sample.true)], 11)}"
            centre, below = (column + 0.5) * width / PICTURES, y + side + 0.02
            style: dict[str, Any] = {"ha": "center", "va": "top", "color": colour, "parse_math": False}
            axes.text(centre, below, said, fontsize=8.5, linespacing=1.0, **style)
    if page.class_names and not found.wrong:
        axes.text(0, step + 0.3, "none was wrong", color=GREY, fontsize=9.5)


def _settings(canvas: Canvas, page: Page, left: float, top: float) -> None:
    canvas.text(left, top, "Settings", TITLE["fontsize"], weight="bold")
    most = 36 if left > WIDTH / 2 else 120  # characters for which there is room
    values = {name: textwrap.wrap(value, most, max_lines=2, placeholder=" …") for name, value in page.settings.items()}
    line = min(0.198, 2.1 / max(1, sum(map(len, values.values()))))  # inches
    down = 0
    for name, lines in values.items():
        canvas.text(left, top + 0.27 + down * line, name, 8.5, color=GREY)
        for text in lines:
            canvas.text(left + 1.0, top + 0.27 + down * line, text, 8.5)
            down += 1


def _verdict(canvas: Canvas, lines: Sequence[str], top: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    height = LINE * len(lines) + 0.2
    tone = next((colour for word, colour in TONES.items() if lines[0].startswith(f"•  {word}")), ADVICE)
    tone = ADVICE if tone == TONES["learning:"] and sum(line.startswith("•") for line in lines) > 1 else tone
    axes = canvas.axes(MARGIN, top, WIDTH - 2 * MARGIN, height)
    axes.axis("off")
    axes.set(xlim=(0, WIDTH - 2 * MARGIN), ylim=(height, 0))
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(FancyBboxPatch((0, 0), WIDTH - 2 * MARGIN, height, boxstyle=style, facecolor=tone, edgecolor="none"))
    for row, line in enumerate(lines):
        indent = 0.15 if line.startswith("•") else 0.31
        canvas.text(MARGIN + indent, top + 0.1 + row * LINE, line, 9.5)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
