"""Metrics of pictures with several labels each, against torchmetrics'."""

import pytest
import torch
from torchmetrics.classification import MultilabelAveragePrecision, MultilabelF1Score

from litlab.modules.labels import GRID, LabelF1, MeanAveragePrecision, middle_of_largest


def batch(seed, count=40, labels=4):
    generator = torch.Generator().manual_seed(seed)
    targets = (torch.rand(count, labels, generator=generator) < torch.tensor([0.5, 0.1, 0.3, 0.0])).float()
    logits = (torch.randn(count, labels, generator=generator) + targets).mul(2).round() / 2  # many are equal
    return logits + 0.03, targets  # between the thresholds of torchmetrics, which takes only what is above one


def test_the_mean_average_precision_is_that_of_torchmetrics_whose_labels_are_there():
    ours, theirs = MeanAveragePrecision(), MultilabelAveragePrecision(3, average="macro")
    for seed in range(3):
        logits, targets = batch(seed)
        now = ours(logits, targets)
        assert now == pytest.approx(theirs(logits.sigmoid()[:, :3], targets[:, :3].long()).item())
    assert ours.compute() == pytest.approx(theirs.compute().item())
    assert torch.isnan(MeanAveragePrecision()(logits, torch.zeros_like(targets)))


def test_f1_is_that_of_torchmetrics_at_each_threshold():
    thresholds = GRID[[100, 70, 120, 100]]
    ours = LabelF1(4, lambda: thresholds)
    theirs = [MultilabelF1Score(4, threshold=value.item(), average=None) for value in thresholds]
    for seed in range(3):
        logits, targets = batch(seed)
        ours.update(logits, targets)
        for metric in theirs:
            metric.update(logits.sigmoid(), targets.long())
    wanted = torch.stack([metric.compute()[label] for label, metric in enumerate(theirs)]).mean()
    assert ours.compute() == pytest.approx(wanted.item())
    assert ours.positives.sum() + ours.negatives.sum() == 3 * 40 * 4


def test_the_chosen_thresholds_have_the_largest_f1_of_all():
    logits, targets = batch(0, count=400)
    metric = LabelF1(4)
    metric.update(logits, targets)
    best = metric.compute()
    tried = [LabelF1(4, lambda at=at: GRID[at].expand(4)) for at in range(0, len(GRID), 10)]
    assert best >= max(other(logits, targets) for other in tried)
    assert LabelF1(4, lambda: metric.chosen)(logits, targets) == best
    assert metric.chosen[3] == 0.5  # of a label that is nowhere
    assert len({round(value, 3) for value in metric.chosen.tolist()}) > 2


def test_of_equally_good_thresholds_the_middle_one_is_taken():
    values = torch.tensor([[0.0, 1, 1, 1, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
    assert middle_of_largest(values).tolist() == [2, 0, 2]


def test_the_counts_of_two_processes_add_up():
    whole, one, other = LabelF1(4), LabelF1(4), LabelF1(4)
    for seed, part in ((0, one), (1, other)):
        part.update(*batch(seed))
        whole.update(*batch(seed))
    one.merge_state(other.metric_state)
    assert one.compute() == whole.compute()
