"""Histograms of weights and gradients."""

import math

import numpy as np
import torch

from litlab.callbacks.tensorboard.histograms import BINS, histogram


def test_histograms_of_weights_and_gradients(quick_run, seen):
    state = torch.load(quick_run.runs[0] / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    names = {name.removeprefix("network.") for name in state}
    kinds = "weights", "weights_gradients"
    assert set(seen.Tags()["histograms"]) == {f"{kind}/{name}" for kind in kinds for name in names}
    for name in names:
        last = seen.Histograms(f"weights/{name}")[-1]
        assert last.step == seen.Histograms(f"weights_gradients/{name}")[-1].step == 110
        values = state[f"network.{name}"]
        found = last.histogram_value
        assert (found.min, found.max, found.num) == (values.min().item(), values.max().item(), values.numel())


def test_a_histogram_counts_each_value_once():
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    found = histogram(values)
    expected, _ = np.histogram(values.numpy(), bins=BINS)
    assert sum(found["bucket_counts"]) == 1000
    assert np.abs(np.array(found["bucket_counts"]) - expected).sum() <= 4  # rounding at the edges
    assert histogram(torch.full((7,), 2.0))["bucket_counts"][0] == 7
    assert histogram(torch.tensor([1.0, math.nan])) is None
