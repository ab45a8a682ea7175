"""Auxiliary outputs of a network, which learn the same targets in training."""

from typing import NamedTuple

from torch import Tensor


class WithAuxiliary(NamedTuple):
    """The result of `forward` in training, for a network with auxiliary outputs (as in Szegedy et al. 2014, section 5).

    The training minimises the loss of `predictions` plus `weight` times the sum of the losses of `auxiliary`. The
    logged `train/loss` and the metrics are those of `predictions` alone, so that they compare with validation. In
    evaluation, `forward` returns the predictions alone.
    """

    predictions: Tensor  # [B, num_classes]
    auxiliary: tuple[Tensor, ...]  # each [B, num_classes]
    weight: float  # of the auxiliary losses
