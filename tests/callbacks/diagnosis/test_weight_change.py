"""The change of the weights in one step."""

import pytest
import torch
from torch.optim import SGD

from litlab.callbacks.diagnosis.weight_change import LAYERS, change, measured_weights


def test_the_change_is_relative_to_the_weights():
    before = [torch.ones(4, 4), torch.full((2, 2), 10.0), torch.ones(3, 3)]
    after = [torch.ones(4, 4) * 1.1, torch.full((2, 2), 10.0) * 1.3, torch.ones(3, 3) * 1.2]
    assert change(before, after).item() == pytest.approx(0.2)  # the median


def test_weights_that_are_zero_do_not_divide_by_zero():
    assert torch.isfinite(change([torch.zeros(2, 2)], [torch.zeros(2, 2)]))


def test_matrices_are_measured_and_no_biases():
    weights = [torch.nn.Parameter(torch.zeros(3, 3)) for _ in range(50)]
    biases = [torch.nn.Parameter(torch.zeros(3)) for _ in range(50)]
    chosen = measured_weights(SGD([*weights, *biases], lr=0.1))
    assert 0 < len(chosen) <= LAYERS
    assert all(weight.dim() == 2 for weight in chosen)


def test_what_is_frozen_or_learns_with_a_part_of_the_rate_is_not_measured():
    head, backbone, frozen = (
        torch.nn.Parameter(torch.zeros(2, 2), requires_grad=trained) for trained in (True, True, False)
    )
    groups = [{"params": [head, frozen]}, {"params": [backbone], "lr": 0.01}]
    [measured] = measured_weights(SGD(groups, lr=0.1))
    assert measured is head
