"""How a network tells the training of further outputs that should learn the same targets."""

from typing import NamedTuple

from torch import Tensor


class WithAuxiliary(NamedTuple):
    """What `forward` returns in training, and only there, if side branches are to be trained too.

    The loss that is minimised is then that of `predictions` plus `weight` times the sum of those of `auxiliary`;
    what is logged as `train/loss`, and the metrics, are of `predictions` alone, so that they compare with validation.
    """

    predictions: Tensor  # [B, ...]
    auxiliary: tuple[Tensor, ...]  # each shaped like predictions
    weight: float
