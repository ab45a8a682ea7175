"""`lr_find.png`: the loss against the learning rate, for each seed."""

import math
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from litlab.training.lr_curve import Curve

matplotlib.use("Agg")  # draws into files, and needs no screen


def draw(curves: list[Curve], suggested: float, path: Path) -> None:
    """Draws the losses as points, the smoothed ones as lines, and the suggestion with its spread.

    Args:
        curves: one for each seed.
        suggested: learning rate.
        path: of the picture.
    """
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for number, curve in enumerate(curves):
        color = f"C{number}"
        axes.plot(curve.rates, curve.losses, ".", color=color, alpha=0.35, markersize=4)
        axes.plot(curve.rates, curve.smooth, color=color, label=f"seed {number + 1} of {len(curves)}")
    steepest = [curve.steepest for curve in curves]
    axes.axvspan(min(steepest), max(steepest), color="tab:red", alpha=0.12)
    axes.axvline(suggested, color="tab:red", label=f"falls fastest: {suggested:.2g}")
    too_high = min(curve.too_high for curve in curves)
    axes.axvline(too_high, color="tab:gray", linestyle="--", label=f"too high from {too_high:.2g} on")
    top = max(curve.smooth[0] for curve in curves)
    low = min(loss for curve in curves for loss in (*curve.smooth, *curve.losses) if math.isfinite(loss))
    axes.set_ylim(low - 0.1 * (top - low), top + 0.5 * (top - low))
    axes.set_xscale("log")
    axes.set(xlabel="optimizer.lr", ylabel="train/loss")
    axes.legend()
    figure.savefig(path, dpi=110)
