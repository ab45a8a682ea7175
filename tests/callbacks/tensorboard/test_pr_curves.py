"""Precision against recall."""

import pytest
import torch
from tensorboard.util.tensor_util import make_ndarray

from litlab.callbacks.tensorboard.pr_curves import THRESHOLDS, counts


def test_precision_and_recall_of_each_class(seen):
    tags = {f"precision_recall/{name}" for name in range(10)}
    assert tags <= set(seen.Tags()["tensors"])
    tp, fp, tn, fn, precision, recall = make_ndarray(seen.Tensors("precision_recall/3")[-1].tensor_proto)
    assert (tp + fp + tn + fn == 500).all()
    assert recall[0] == 1
    assert precision[60] == pytest.approx(tp[60] / (tp[60] + fp[60]))
    assert precision[60] > 0.5


def test_counts_at_thresholds_are_those_of_a_loop():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(50, 3, generator=generator).softmax(1)
    targets = torch.randint(0, 3, (50,), generator=generator)
    found = counts(probabilities, targets)
    for k in range(3):
        for t in range(0, THRESHOLDS, 9):
            above = (probabilities[:, k] * (THRESHOLDS - 1)).floor() >= t
            assert found[k, 0, t] == (above & (targets == k)).sum()
            assert found[k, 1, t] == (above & (targets != k)).sum()
