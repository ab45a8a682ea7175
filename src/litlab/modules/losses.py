"""Losses that torch.nn has only in pieces."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CrossEntropy(nn.CrossEntropyLoss):
    """Cross-entropy of logits, with settings that a config can hold.

    Args:
        label_smoothing: in [0, 1], how much of each target is spread over all classes (Szegedy et al. 2015,
            https://arxiv.org/abs/1512.00567, section 7).
        class_weights: one for each class, for classes that are rare or matter more; None weighs all alike.

    Raises:
        ValueError: if `label_smoothing` is not in [0, 1], or a weight is not above 0: the loss is divided by the sum of
            a batch's weights, and a batch may be of one class.
    """

    def __init__(self, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None) -> None:
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing must be in [0, 1], not {label_smoothing}")
        if class_weights is not None and not all(weight > 0 for weight in class_weights or [0]):
            raise ValueError(f"class_weights must be above 0, one for each class, not {list(class_weights)}")
        weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float)
        super().__init__(weight, label_smoothing=label_smoothing)
        self.register_buffer("weight", weight, persistent=False)  # a setting, which a resumed run may change

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of logits [B, num_classes] against class indices [B]."""
        if self.weight is not None and len(self.weight) != logits.shape[1]:
            raise ValueError(f"class_weights must be {logits.shape[1]}, one for each class, not {len(self.weight)}")
        return super().forward(logits, targets)


def total_weight(loss: nn.CrossEntropyLoss | nn.NLLLoss, targets: Tensor) -> Tensor:
    """What a loss with class weights divides by, [], for targets [B]: the sum of their weights, smoothed or not."""
    assert loss.weight is not None
    return loss.weight[targets].sum()


class LogSoftmaxNLL(nn.NLLLoss):
    """Log-softmax, then negative log-likelihood: the two lines that courses write, as one loss.

    A log-softmax of a log-softmax is itself, so a network that already ends in one is right too.
    Arguments are those of `torch.nn.NLLLoss`.
    """

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of logits [B, num_classes] against class indices [B]."""
        return super().forward(F.log_softmax(logits, dim=1), targets)
