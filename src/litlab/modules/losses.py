"""Losses that torch.nn has only in two pieces."""

import torch.nn.functional as F
from torch import Tensor, nn


class LogSoftmaxNLL(nn.NLLLoss):
    """Log-softmax, then negative log-likelihood: the two lines that courses write, as one loss.

    A log-softmax of a log-softmax is itself, so a network that already ends in one is right too.
    Arguments are those of `torch.nn.NLLLoss`.
    """

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of logits [B, num_classes] against class indices [B]."""
        return super().forward(F.log_softmax(logits, dim=1), targets)
