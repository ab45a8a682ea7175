"""`sweep.png`: at the top how the objective depends on the swept settings, below the curves of all jobs."""

import math
import statistics
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator

from litlab.sweeps.jobs import Job, Sweep, curve
from litlab.sweeps.labels import Labels
from litlab.sweeps.scales import in_digits, is_number, is_wide, scale, set_scale
from litlab.sweeps.seeds import counted, repeated, settings_compared

matplotlib.use("Agg")  # draws into files, and needs no screen

BEST, OTHERS, PRUNED, LOSS = "tab:red", "tab:blue", "tab:gray", "tab:orange"  # colours
MOST_DOTS = 60  # in groups; more cannot be told apart
FEW = 30  # cells of a heat map, of which most may be empty
MOST_LABELS = 12  # a longer legend cannot be read
MOST_PANELS = 4  # beside each other
MOST_NUMBERS = 12  # beside each other; more are written from the bottom up
BESIDE: Any = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}  # of the axes, so that a legend covers nothing


def draw(sweep: Sweep, path: Path) -> None:
    """Draws a line if one number was swept, a heat map if two were, else dots in groups.

    If numbers were searched, or the dots are too many, there is a panel with points for each number.
    The curves of all jobs are below, unless all have one point: that one stands above already.
    """
    text = f"{sweep.folder.name} {[job.settings for job in sweep.jobs]}"
    if text.isascii():
        return _draw(sweep, path)
    from litlab.figures import letters_of  # imports torch, which takes seconds

    with letters_of(text):
        _draw(sweep, path)


def _draw(sweep: Sweep, path: Path) -> None:
    names, labels = settings_compared(sweep), Labels(sweep)
    drawn = [*sweep.finished, *sweep.pruned]
    numbers = [name for name in names if all(is_number(job.settings.get(name)) for job in drawn)]
    has_curves = any(len(curve(job, sweep.objective)[0]) > 1 for job in drawn)
    figure = Figure(figsize=(10, 8 if has_curves else 4.5), layout="constrained")
    # In two figures, so that a long legend of the one takes no room from the other.
    figures: Any = figure.subfigures(1 + has_curves, 1, squeeze=False)
    upper = figures[0, 0]
    jobs = len({labels.of(job, names) for job in sweep.finished})  # that differ in more than the seed
    if len(names) == 1 and numbers:
        draw_line(sweep, numbers[0], upper.subplots())
    elif len(numbers) == len(names) == 2 and not sweep.pruned and _cells(sweep, numbers) <= max(2 * jobs, FEW):
        draw_map(sweep, numbers[0], numbers[1], upper.subplots(), upper)
    elif len(names) == 2 and len(numbers) == 2:
        draw_plane(sweep, numbers[0], numbers[1], upper.subplots(), upper)
    elif numbers and (jobs > MOST_DOTS or _are_searched(drawn, numbers)):
        panels = upper.subplots(1, min(len(numbers), MOST_PANELS), sharey=True, squeeze=False)[0]
        for name, panel in zip(numbers, panels, strict=False):
            draw_points(sweep, name, panel)
            panel.label_outer()
    else:
        draw_groups(sweep, names, upper.subplots(), labels)
    if has_curves:
        draw_curves(sweep, names, figures[1, 0].subplots(), labels)
    title = f"{sweep.objective}: {len(sweep.finished)} of {len(sweep.jobs)} jobs in {sweep.folder.name}"
    figure.suptitle(title + (f", {len(sweep.pruned)} ended early (grey)" if sweep.pruned else ""))
    if labels.lines:
        wrapped = (textwrap.fill(line, 150, subsequent_indent="    ") for line in labels.lines)
        figure.supxlabel("\n".join(wrapped), x=0.01, ha="left", fontsize=8)
    figure.savefig(path, dpi=110)


def draw_line(sweep: Sweep, name: str, axes: Axes) -> None:
    """Draws the objective against one number, and the validation loss on a second axis."""
    jobs = counted(sweep)
    values = sorted(set(_values(jobs, name)))
    at = {value: [job for job in jobs if float(job.settings[name]) == value] for value in values}
    scores = {value: [job.score or 0.0 for job in jobs] for value, jobs in at.items()}
    means = [statistics.mean(scores[value]) for value in values]
    spread = [statistics.stdev(s) if len(s := scores[value]) > 1 else 0.0 for value in values]
    axes.errorbar(values, means, yerr=spread, marker="o", color=OTHERS, capsize=3, label=sweep.objective)
    _explain_bars(sweep, axes, spread)
    best = sweep.best_of(range(len(values)), key=means.__getitem__)
    _mark_best(axes, values[best], means[best])
    ended = _values(sweep.pruned, name)
    tried = [*values, *ended]
    if is_wide(tried):
        axes.set_xscale("log")
    place = axes.transData.transform((values[best], 0))[0] - axes.transData.transform((min(tried), 0))[0]
    width = axes.transData.transform((max(tried), 0))[0] - axes.transData.transform((min(tried), 0))[0]
    part = place / width if width else 0.5  # of the way to the last value
    beside = "left" if part < 1 / 3 else "right" if part > 2 / 3 else "center"
    text = f"{name}={values[best]:g}: {in_digits(means[best])}"
    axes.annotate(text, (values[best], means[best]), color=BEST, ha=beside,
                  xytext=(0, 14 if sweep.mode == "max" else -24), textcoords="offset points")  # fmt: skip
    axes.margins(y=0.2)  # for that text
    _draw_pruned(axes, ended, [job.score for job in sweep.pruned])
    axes.set(xlabel=name, ylabel=sweep.objective)
    set_scale(axes, [*means, *_scores(sweep.pruned)])
    losses = [[job.metrics["val/loss"] for job in at[value] if "val/loss" in job.metrics] for value in values]
    if sweep.objective != "val/loss" and len(losses) > 1 and all(losses):
        other = axes.twinx()
        mean_losses = [statistics.mean(loss) for loss in losses]
        other.plot(values, mean_losses, marker=".", linestyle="--", color=LOSS, alpha=0.7)
        set_scale(other, mean_losses)
        other.set_ylabel("val/loss (dashed)", color=LOSS)


def _explain_bars(sweep: Sweep, axes: Axes, spreads: Sequence[float]) -> None:
    """Says what the bars are, where there are any."""
    if any(spreads):
        axes.set_title(f"bars: one standard deviation over the {repeated(sweep)}", fontsize=9)


def draw_points(sweep: Sweep, name: str, axes: Axes) -> None:
    """Draws the objective of each job against one of several settings. The other settings spread the points."""
    values = _values(sweep.finished, name)
    scores = [job.score or 0.0 for job in sweep.finished]  # the best first
    axes.plot(values, scores, marker="o", color=OTHERS, linestyle="", alpha=0.6)
    _mark_best(axes, values[0], scores[0])
    ended = _values(sweep.pruned, name)
    _draw_pruned(axes, ended, [job.score for job in sweep.pruned])
    if is_wide([*values, *ended], 100):  # a panel may be too narrow for the ticks of one decade
        axes.set_xscale("log")
    set_scale(axes, [*scores, *_scores(sweep.pruned)])
    axes.set(xlabel=name, ylabel=sweep.objective)


def draw_plane(sweep: Sweep, vertical: str, horizontal: str, axes: Axes, figure: FigureBase) -> None:
    """Draws a point for each job, where its two numbers are. The colour is the objective."""
    across, up = (_values(sweep.finished, name) for name in (horizontal, vertical))
    scores = _scores(sweep.finished)
    points = axes.scatter(across, up, c=scores, cmap="viridis", norm=scale(scores)[0])
    figure.colorbar(points, ax=axes, label=sweep.objective)
    _mark_best(axes, across[0], up[0])
    ended = [_values(sweep.pruned, name) for name in (horizontal, vertical)]
    _draw_pruned(axes, *ended)
    if is_wide(across + ended[0]):
        axes.set_xscale("log")
    if is_wide(up + ended[1]):
        axes.set_yscale("log")
    axes.set(xlabel=horizontal, ylabel=vertical)


def _mark_best(axes: Axes, across: float, up: float) -> None:
    axes.plot(across, up, marker="*", markersize=18, color=BEST, linestyle="", zorder=3)


def _values(jobs: Sequence[Job], name: str) -> list[float]:
    """The number that each job has for a setting."""
    return [float(job.settings[name]) for job in jobs]


def _scores(jobs: Sequence[Job]) -> list[float]:
    """The scores of the jobs that have one."""
    return [job.score for job in jobs if job.score is not None]


def _draw_pruned(axes: Axes, across: Sequence[float], up: Sequence[float | None]) -> None:
    """Draws where the jobs are that were ended early."""
    points = [(x, y) for x, y in zip(across, up, strict=True) if y is not None]
    if points:
        axes.plot(*zip(*points, strict=True), marker="x", color=PRUNED, linestyle="", label="ended early")


def _are_searched(jobs: Sequence[Job], numbers: Sequence[str]) -> bool:
    """Whether most jobs have a number of their own, as in a search. A grid has few of each setting."""
    most = max(len({job.settings[name] for job in jobs}) for name in numbers)
    return most > max(4, len(jobs) / 2)


def _cells(sweep: Sweep, names: list[str]) -> int:
    """How many cells a heat map over these settings has."""
    return math.prod(len({job.settings[name] for job in sweep.finished}) for name in names)


def draw_map(sweep: Sweep, vertical: str, horizontal: str, axes: Axes, figure: FigureBase) -> None:
    """Draws the objective over two numbers as a heat map, with a frame around the best cell."""
    rows = sorted(set(_values(sweep.finished, vertical)))
    columns = sorted(set(_values(sweep.finished, horizontal)))
    cells: dict[tuple[int, int], list[float]] = {}
    for job in counted(sweep):
        cell = rows.index(float(job.settings[vertical])), columns.index(float(job.settings[horizontal]))
        cells.setdefault(cell, []).append(job.score or 0.0)
    means = {cell: statistics.mean(scores) for cell, scores in cells.items()}
    grid = [[means.get((r, c), float("nan")) for c in range(len(columns))] for r in range(len(rows))]
    image: Any = axes.imshow(grid, aspect="auto", origin="lower", cmap="viridis", norm=scale([*means.values()])[0])
    figure.colorbar(image, ax=axes, label=sweep.objective)
    for (row, column), mean in means.items():
        dark = image.norm(mean) < 0.6  # high values are light in viridis
        axes.text(column, row, in_digits(mean), ha="center", va="center", color="white" if dark else "black")
    row, column = sweep.best_of(means, key=means.__getitem__)
    axes.add_patch(
        matplotlib.patches.Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=BEST, linewidth=3)
    )
    axes.set_xticks(range(len(columns)), [f"{value:g}" for value in columns])
    axes.set_yticks(range(len(rows)), [f"{value:g}" for value in rows])
    axes.set(xlabel=horizontal, ylabel=vertical)


def draw_groups(sweep: Sweep, names: list[str], axes: Axes, labels: Labels) -> None:
    """Draws a group of dots for each value of the first setting. In it is a dot for each combination of the others.

    Bars would have to begin at 0, where small differences cannot be seen.
    """
    first, *others = names or ["seed"]
    places = list(dict.fromkeys(job.settings.get(first, "") for job in _by_name(sweep)))
    kinds = list(dict.fromkeys(labels.of(job, others) for job in _by_name(sweep)))
    found: dict[tuple[str, str], list[float]] = {}
    upright = len(places) * len(kinds) > MOST_NUMBERS
    for job in counted(sweep):
        found.setdefault((job.settings.get(first, ""), labels.of(job, others)), []).append(job.score or 0.0)
    for index, kind in enumerate(kinds):
        shade = matplotlib.colormaps["Blues"](0.4 + 0.5 * (index + 1) / len(kinds))  # other colours belong to curves
        at = {place + (index - (len(kinds) - 1) / 2) * 0.8 / len(kinds): scores
              for place, value in enumerate(places) if (scores := found.get((value, kind)))}  # fmt: skip
        means = [statistics.mean(scores) for scores in at.values()]
        spreads = [statistics.stdev(scores) if len(scores) > 1 else 0.0 for scores in at.values()]
        _explain_bars(sweep, axes, spreads)
        axes.plot([*at], means, marker="o", markersize=8, linestyle="", color=shade, label=kind or None)
        for across, mean, spread in zip(at, means, spreads, strict=True):
            if spread:
                axes.errorbar(across, mean, yerr=spread, capsize=3, color=shade)
            axes.annotate(in_digits(mean), (across, mean + spread), fontsize=7, ha="center",
                          rotation=90 if upright else 0, xytext=(0, 7), textcoords="offset points")  # fmt: skip
    set_scale(axes, [statistics.mean(scores) for scores in found.values()])
    axes.margins(y=0.3 if upright else 0.2)  # for the numbers
    for place in range(1, len(places)):
        axes.axvline(place - 0.5, color="lightgray", linewidth=0.8)
    axes.set_xlim(-0.5, len(places) - 0.5)
    names_below = [labels.value(first, place) for place in places]
    crowded = sum(map(len, names_below)) > 60
    axes.set_xticks(range(len(places)), names_below, rotation=30 if crowded else 0)
    axes.set(xlabel=first, ylabel=sweep.objective)
    if 1 < len(kinds) <= MOST_LABELS:
        axes.legend(fontsize=8, **BESIDE)


def draw_curves(sweep: Sweep, names: list[str], axes: Axes, labels: Labels) -> None:
    """Draws the objective of each job over its epochs. Jobs that differ only in their seed have one colour."""
    best = sweep.finished[0]
    kinds = list(
        dict.fromkeys(labels.of(job, names or ["seed"]) for job in sweep.finished)
    )  # that of the best job first
    palette = [color for color in matplotlib.colors.TABLEAU_COLORS if color not in (BEST, PRUNED)]
    if len(kinds) > len(palette):
        palette = [matplotlib.colors.to_hex(matplotlib.colormaps["viridis"](i / len(kinds))) for i in range(len(kinds))]
    colors = dict(zip(kinds, [BEST, *palette], strict=False))
    named = set(kinds[MOST_LABELS:])  # the best ones are in the legend
    others = len(named)
    drawn: list[float] = []
    for job in sweep.finished:
        epochs, values = curve(job, sweep.objective)
        drawn += values
        label = labels.of(job, names or ["seed"])
        if values:
            axes.plot(epochs, values, marker=".", color=colors[label], label=None if label in named else label,
                      linewidth=2.5 if job is best else 1, zorder=3 if job is best else 2)  # fmt: skip
            named.add(label)
    for job in sweep.pruned:
        epochs, values = curve(job, sweep.objective)
        drawn += values
        axes.plot(epochs, values, marker="x", color=PRUNED, linewidth=0.7, zorder=1)
    set_scale(axes, drawn)
    axes.set(xlabel="epoch", ylabel=sweep.objective)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if others:
        axes.plot([], [], linestyle="", label=f"and {others} more")
    if named:
        axes.legend(fontsize=8, **BESIDE)


def _by_name(sweep: Sweep) -> list[Job]:
    return sorted(sweep.finished, key=lambda job: job.folder.name)
