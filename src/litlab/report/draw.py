"""`report.png`: the run on one page of 1280 x 720, for a slide."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from litlab.report.canvas import GREY, HEIGHT, LINE, MARGIN, TRAIN, WIDTH, WRONG, Canvas
from litlab.report.curves import draw_curves, has_points
from litlab.report.page import Page
from litlab.report.predictions import draw_predictions, draw_samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TONES = {"learning:": "#e3f4ee", "diverged:": "#fbe4dc"}  # behind a verdict that begins so; any other: ADVICE
ADVICE = "#fdf3d8"
MOST_HEADING = 60  # characters of title and headline, side by side, for which there is room
ASIDE = MARGIN + 8.55  # inches: where the right column begins
LOWER, LOW = 2.4, 1.25  # inches: height of the lower half, with pictures and without
WITHOUT_CURVES = 3.2  # inches that a page has less if there is no curve
COLUMNS, WIDE = 3, 4.0  # of the settings where there are no pictures; inches of each


def draw(page: Page) -> "Figure":
    """The page as a figure of 1280 x 720 pixels: a little higher for a long verdict, lower where no curve is drawn."""
    lines = [line for sentence in page.sentences for line in textwrap.wrap(f"•  {sentence}", 158) or [""]]
    empty = page.evaluation is None and not has_points(page)
    canvas = Canvas(HEIGHT + LINE * max(0, len(lines) - 3) - (WITHOUT_CURVES if empty else 0))
    _draw_heading(canvas, page)
    foot = canvas.height - 0.3 - LINE * len(lines) - (0.25 if lines else 0)  # where the verdict begins
    found, names = page.evaluation, page.class_names
    beside = found is not None and any(part is not None for part in (found.matrix, found.values, found.fit))
    samples = found is not None and bool(found.right or found.wrong)
    low = foot - (LOWER if samples else LOW)
    if empty:
        canvas.text(MARGIN, 1.3, "no epoch ended", 11, color=GREY)
    else:
        draw_curves(canvas, page, MARGIN, 1.2, ASIDE - 0.35 - MARGIN if beside else WIDTH - 2 * MARGIN, low - 1.75)
    if found is not None and beside:
        draw_predictions(canvas, names, found, ASIDE, 1.2, WIDTH - MARGIN - ASIDE, low - 1.3)
    if found is not None and samples:
        draw_samples(canvas, names, found, MARGIN, low)
    if samples:
        _draw_settings(canvas, list(page.settings.items()), ASIDE, low, 36)
    elif page.settings:
        _draw_settings_in_columns(canvas, page, low)
    if lines:
        _draw_verdict(canvas, lines, foot)
    return canvas.figure


def _draw_heading(canvas: Canvas, page: Page) -> None:
    size = min(21.0, 21 * MOST_HEADING / (len(page.title) + len(page.headline)))  # points
    canvas.text(MARGIN, 0.28, page.title, size, weight="bold")
    canvas.text(MARGIN, 0.72, page.subtitle, 11, color=GREY)
    bad = page.headline == "failed" or any(sentence.startswith("diverged:") for sentence in page.sentences)
    tone = WRONG if bad else TRAIN
    canvas.text(WIDTH - MARGIN, 0.28, page.headline, size, weight="bold", ha="right", color=tone)


def _draw_settings_in_columns(canvas: Canvas, page: Page, top: float) -> None:
    """Draws the settings below the curves, where there are no pictures."""
    items = list(page.settings.items())
    rows = -(-len(items) // COLUMNS)
    for column in range(COLUMNS):
        if part := items[column * rows : (column + 1) * rows]:
            _draw_settings(canvas, part, MARGIN + column * WIDE, top, 36, "Settings" if column == 0 else "")


def _draw_settings(
    canvas: Canvas, settings: Sequence[tuple[str, str]], left: float, top: float, most: int, heading: str = "Settings"
) -> None:
    """Draws settings below each other; a value may have `most` characters in a line."""
    canvas.heading(left, top, heading)
    values = {name: textwrap.wrap(value, most, max_lines=2, placeholder=" …") for name, value in settings}
    line = min(0.198, 2.1 / max(1, sum(map(len, values.values()))))  # inches
    down = 0
    for name, lines in values.items():
        canvas.text(left, top + 0.27 + down * line, name, 8.5, color=GREY)
        for text in lines:
            canvas.text(left + 1.0, top + 0.27 + down * line, text, 8.5)
            down += 1


def _draw_verdict(canvas: Canvas, lines: Sequence[str], top: float) -> None:
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
