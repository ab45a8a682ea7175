"""How often a classifier is right, against how sure it is: in numbers, and as a reliability diagram."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from litlab.figures import letters_of

BINS = 15  # ranges of probabilities
RIGHT, TOO_SURE, GREY = "#08519c", "#d55e00", "#666666"


class Reliability(Metric):
    """How often a classifier is right, by how sure it is: float32 [`BINS`, 3].

    Of each range of probabilities it has the number of answers, the sum of their probabilities, and the right ones.
    """

    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(BINS, 3), dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Adds a batch: logits [B, C], and class indices [B]."""
        sure, named = logits.float().softmax(1).max(1)
        rows = torch.stack([torch.ones_like(sure), sure, (named == targets).to(sure)], 1)
        # As torchmetrics divides them: each range has its upper end, and not its lower one.
        self.sums.index_add_(0, (sure * BINS).ceil().long().sub(1).clamp(0, BINS - 1), rows)

    def compute(self) -> Tensor:
        return self.sums


def draw_reliability(bins: Sequence[tuple[int, float, float]], error: float, title: str, path: Path) -> None:
    """Draws the share of right answers for each range of probabilities, and below how many answers are in it.

    Where the network is surer than it is right, the difference is orange. DeGroot & Fienberg 1983; Guo et al. 2017.

    Args:
        bins: ranges of the same width from 0 to 1: of each the number of answers, their mean probability, and the share
            of right ones.
        error: the expected calibration error.
        title: stands above.
        path: of the PNG file.
    """
    from matplotlib.figure import Figure  # takes long to import, and predictions do not need it

    width, total = 1 / len(bins), max(1, sum(count for count, _, _ in bins))
    middles = [(number + 0.5) * width for number in range(len(bins))]
    there = [(middle, *bin) for middle, bin in zip(middles, bins, strict=True) if bin[0]]
    with letters_of(title):
        figure = Figure(figsize=(6, 7), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        for middle, _, sure, right in there:
            above.bar(middle, right, 0.92 * width, color=RIGHT)
            if sure > right:
                above.bar(middle, sure - right, 0.92 * width, bottom=right, color=TOO_SURE, alpha=0.45)
            else:
                above.bar(middle, right - sure, 0.92 * width, bottom=sure, color="white", alpha=0.45)
            above.plot([middle - 0.46 * width, middle + 0.46 * width], [sure, sure], color="black", linewidth=1.5)
        above.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1)
        above.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of right answers")
        above.set_title(f"{title}\nexpected calibration error {error:.4f}", loc="left", fontsize=11)
        above.legend(handles=_legend(), frameon=False, loc="upper left", fontsize=9)
        below.bar(middles, [count / total for count, _, _ in bins], 0.92 * width, color=GREY)
        below.set(xlabel="probability of the class that was named", ylabel="share of answers", ylim=(0, None))
        for axes in (above, below):
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=110, format="png")


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Line2D([], [], color="black", label="how sure it was"),
        Patch(color=RIGHT, label="how often it was right"),
        Patch(color=TOO_SURE, alpha=0.45, label="surer than right by so much"),
        Patch(color=RIGHT, alpha=0.55, label="right more often by so much"),
    ]
