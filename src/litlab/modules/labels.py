"""Metrics of pictures with several labels each. An update never waits for the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

# The thresholds that are tried: probabilities of logits from -10 to 10. They are dense near 0 and 1; the middle is 0.5.
GRID = ((torch.arange(201) - 100) / 10).sigmoid()


class LabelF1(Metric):
    """F1 of each label at its threshold, the mean over the labels. A label that nowhere is true or predicted counts 0.

    Args:
        num_labels: C.
        thresholds: the probability from which on each label is predicted, float32 [C], each one of `GRID`. None means
            those with the largest F1; `chosen` then has them after `compute`.
    """

    higher_is_better = True
    full_state_update = False
    positives: Tensor  # how many true labels reach exactly so many thresholds of `GRID`, int64 [C, T + 1]
    negatives: Tensor
    grid: Tensor

    def __init__(self, num_labels: int, thresholds: Callable[[], Tensor] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.thresholds = thresholds
        self.chosen: Tensor | None = None
        self.register_buffer("grid", GRID.clone(), persistent=False)
        for name in ("positives", "negatives"):
            counts = torch.zeros(num_labels, len(GRID) + 1, dtype=torch.long)
            self.add_state(name, counts, dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Adds a batch: logits [B, C] and targets [B, C], 1 for a label that is true and else 0."""
        reached = torch.bucketize(logits.float().sigmoid(), self.grid, right=True)
        rows = torch.arange(logits.shape[1], device=logits.device) * (len(self.grid) + 1)
        cells, is_true = (reached + rows).flatten(), targets.long().flatten()
        empty = torch.zeros_like(self.positives).flatten()
        self.positives = self.positives + empty.scatter_add(0, cells, is_true).view_as(self.positives)
        self.negatives = self.negatives + empty.scatter_add(0, cells, 1 - is_true).view_as(self.negatives)

    def compute(self) -> Tensor:
        """The mean F1, []."""
        right, wrong = (n.flip(1).cumsum(1).flip(1)[:, 1:] for n in (self.positives, self.negatives))
        count = right + wrong + self.positives.sum(1, keepdim=True)
        f1 = 2 * right / count.clamp(min=1)  # [C, T]
        if self.thresholds is None:
            places = middle_of_largest(f1)
            self.chosen = self.grid[places]
        else:
            places = torch.bucketize(self.thresholds().to(self.grid.device).contiguous(), self.grid)
        return f1.gather(1, places[:, None]).mean()


def middle_of_largest(values: Tensor) -> Tensor:
    """Where the largest values of each row are: the middle one of these places, int64 [C].

    Args:
        values: [C, T].
    """
    largest = values == values.max(1, keepdim=True).values
    number = largest.cumsum(1)
    return (largest & (number == (number[:, -1:] + 1) // 2)).int().argmax(1)


class AveragePrecision(Metric):
    """Average precision of each label. Keeps all predictions.

    It is torchmetrics' MultilabelAveragePrecision, which waits for the device at each update.
    """

    higher_is_better = True
    full_state_update = False
    logits: list[Tensor]
    targets: list[Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name in ("logits", "targets"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Adds a batch: logits [B, C] and targets [B, C], 1 for a label that is true and else 0."""
        self.logits.append(logits.float())
        self.targets.append(targets.bool())

    def compute(self) -> Tensor:
        """The average precision, [C]; NaN for a label that is nowhere true."""
        return average_precision(dim_zero_cat(self.logits), dim_zero_cat(self.targets))


class MeanAveragePrecision(AveragePrecision):
    """The mean of the average precision over the labels that are true somewhere."""

    def compute(self) -> Tensor:
        """The mean, []. It is NaN if no label is true."""
        return super().compute().nanmean()


def average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """The mean of the precision over all true pictures of a label, [C]; NaN for a label that is never true.

    Args:
        scores: [N, C], higher for a label that is more probable. Pictures of one score count together.
        targets: bool [N, C].
    """
    sorted_scores, order = scores.sort(0, descending=True)
    is_true = targets.gather(0, order).long()
    rows = torch.arange(len(scores), device=scores.device)[:, None]
    precision = is_true.cumsum(0) / (rows + 1)
    is_last = torch.ones_like(targets)  # of those with its score
    is_last[:-1] = sorted_scores[1:] != sorted_scores[:-1]
    last = rows.expand_as(is_true).masked_fill(~is_last, len(scores)).flip(0).cummin(0).values.flip(0)
    return (precision.gather(0, last) * is_true).sum(0) / is_true.sum(0)
