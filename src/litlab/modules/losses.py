"""Losses that torch.nn does not have as one module, or not with plain numbers as settings."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CrossEntropy(nn.CrossEntropyLoss):
    """Cross-entropy of logits [B, num_classes] and targets, with plain numbers as settings.

    Targets are class indices [B], or the shares of the classes [B, num_classes].

    Args:
        label_smoothing: the part of each target that is spread over all classes, 0 to 1 (Szegedy et al. 2015,
            https://arxiv.org/abs/1512.00567, section 7).
        class_weights: one number for each class, above 0, larger for rare or important classes; None means all equal.
            In a config, `balanced` stands for the numbers that `balanced_weights` works out.

    Raises:
        ValueError: an argument has a wrong value. (A weight of 0 could make the loss 0 / 0: it is divided by the sum of
            the weights in a batch, which may have one class only.)
    """

    def __init__(
        self, label_smoothing: float = 0.0, class_weights: Sequence[float] | Literal["balanced"] | None = None
    ) -> None:
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing must be in [0, 1], not {label_smoothing}")
        if class_weights == "balanced":
            raise ValueError("class_weights must be numbers here: balanced_weights(targets, num_classes) makes them")
        if class_weights is not None and not all(weight > 0 for weight in class_weights or [0]):
            raise ValueError(f"class_weights must be above 0, one for each class, not {list(class_weights)}")
        weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float)
        super().__init__(weight, label_smoothing=label_smoothing)
        # Not in checkpoints: the weights are a setting, and a resumed run may change it.
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of logits [B, num_classes] against class indices [B] or shares [B, num_classes]."""
        if self.weight is not None and len(self.weight) != logits.shape[1]:
            raise ValueError(f"class_weights must be {logits.shape[1]}, one for each class, not {len(self.weight)}")
        weight = self.weight
        if weight is not None and logits.dtype == torch.float:  # trainer.precision=bf16-true rounds it to bfloat16
            weight = weight.float()
        return cross_entropy(logits, targets, weight, self.label_smoothing)


def cross_entropy(logits: Tensor, targets: Tensor, weight: Tensor | None, label_smoothing: float = 0.0) -> Tensor:
    """torch's cross-entropy, but with shares [B, num_classes] as targets, too, it is divided by the weights of a batch.

    torch divides the weighted loss of shares by B. Weights that are all ten would make it ten times as large.
    """
    loss = F.cross_entropy(logits, targets, weight, label_smoothing=label_smoothing)
    if weight is None or not targets.is_floating_point():
        return loss
    return loss / (targets * weight).sum(1).mean()  # a mean, because a sum may be too large for 16 bits


def balanced_weights(targets: Tensor, num_classes: int) -> list[float]:
    """Weights with which all classes count the same in sum; their mean over the targets is 1.

    Args:
        targets: class indices of the training set, int64 [N].
        num_classes: number of classes.
    """
    counts = torch.bincount(targets, minlength=num_classes).clamp(min=1)
    return [float(f"{weight:.6g}") for weight in (len(targets) / (num_classes * counts)).tolist()]


def total_weight(loss: nn.CrossEntropyLoss | nn.NLLLoss, targets: Tensor) -> Tensor:
    """What a loss with class weights was divided by, smoothed or not, []: the sum of the weights of the targets.

    Args:
        loss: with weights.
        targets: class indices [B], or shares [B, num_classes]. The losses here divide by the weights of shares; those
            of torch divide by B.
    """
    assert loss.weight is not None
    if not targets.is_floating_point():
        return loss.weight[targets].sum()
    if isinstance(loss, CrossEntropy | LogSoftmaxNLL):
        return (targets * loss.weight).sum()
    return loss.weight.new_full((), len(targets))


class LogSoftmaxNLL(nn.NLLLoss):
    """Log-softmax, then negative log-likelihood, as one loss. Many courses write these two lines.

    A second log-softmax changes nothing, so the network may end with one. The arguments are those of
    `torch.nn.NLLLoss`.
    """

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of logits [B, num_classes] against class indices [B] or shares [B, num_classes]."""
        if targets.is_floating_point():
            return cross_entropy(logits, targets, self.weight)
        return super().forward(F.log_softmax(logits, dim=1), targets)
