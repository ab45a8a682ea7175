"""Multi-label classification: none, one or several labels for each image."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from litlab.modules.added import Added, of_labels
from litlab.modules.labels import LabelF1, MeanAveragePrecision
from litlab.modules.schedules import Schedule
from litlab.modules.supervised import MakeOptimizer, Supervised


class Multilabel(Supervised):
    """Trains a network that maps images [B, C, H, W] to logits [B, num_classes], on 0 or 1, float32 [B, num_classes].

    Logs the loss, the mean average precision (`map`) and F1 (`f1`), both means over the labels. A label is predicted if
    its probability reaches its threshold. Each validation chooses the thresholds with the largest F1. Until then they
    are 0.5. `val/f1` is measured at those that it has chosen.

    Args:
        network: from images to logits.
        num_classes: number of labels.
        loss: from (logits, targets) to a scalar; None means binary cross-entropy of logits.
        optimizer: from parameters to an optimizer; None means Adam with learning rate 1e-3.
        scheduler: one of `litlab.modules.schedules`, with its options bound; None keeps the learning rate.
        metrics: more metrics of torchmetrics by name. Each is updated with probabilities and targets int64, both
            [B, num_classes].
        thresholds: of each label, those of a trained network; None means 0.5.

    Raises:
        ValueError: two metrics have one name.
    """

    thresholds: Tensor

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        loss: nn.Module | None = None,
        optimizer: MakeOptimizer | None = None,
        scheduler: Schedule | None = None,
        metrics: Mapping[str, Metric] | None = None,
        thresholds: Sequence[float] | None = None,
    ) -> None:
        def own_metrics() -> dict[str, Metric]:
            return {"map": MeanAveragePrecision(), "f1": LabelF1(num_classes, lambda: self.thresholds)}

        added = Added(metrics, of_labels) if metrics else None
        super().__init__(network, loss or nn.BCEWithLogitsLoss(), own_metrics, optimizer, scheduler, added)
        # A buffer, so that each checkpoint has them.
        self.register_buffer("thresholds", torch.tensor(thresholds or [0.5] * num_classes))
        self._validated().thresholds = None

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        if not self.trainer.sanity_checking:
            self.thresholds.copy_(self._validated().chosen)

    def _validated(self) -> Any:
        """The F1 of validation, which chooses the thresholds."""
        return self.meters["val"].metrics["f1"]
