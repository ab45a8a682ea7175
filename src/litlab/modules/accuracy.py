"""How often the prediction is right, also where a target is shared by several classes."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class SoftAccuracy(Metric):
    """The share of the targets that the predicted classes have, as the papers on mixup and CutMix count it.

    For class indices this is the accuracy.

    Args:
        top_k: number of classes that are predicted for an image.
    """

    full_state_update = False
    right: Tensor
    count: Tensor

    def __init__(self, top_k: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.top_k = top_k
        for name in ("right", "count"):
            self.add_state(name, torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Adds a batch: logits [B, num_classes]; targets are class indices [B], or shares [B, num_classes]."""
        # Of equal logits, argmax takes the first, as everywhere in litlab; topk may take any.
        predicted = logits.argmax(1, keepdim=True) if self.top_k == 1 else logits.topk(self.top_k, 1).indices
        shares = (predicted == targets[:, None]).float() if targets.ndim == 1 else targets.gather(1, predicted)
        self.right += shares.sum()
        self.count += len(targets)

    def compute(self) -> Tensor:
        """The accuracy, []."""
        return self.right / self.count
