"""Classification: one of `num_classes` for each image."""

from torch import nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from litlab.modules.schedules import Schedule
from litlab.modules.supervised import MakeOptimizer, Supervised


class Classification(Supervised):
    """Trains a network that maps images [B, C, H, W] to logits [B, num_classes], on class indices [B].

    Logs loss and accuracy (`acc`).

    Args:
        network: from images to logits.
        num_classes: how many classes there are.
        loss: from (logits, targets) to a scalar; by default cross-entropy.
        optimizer: from parameters to optimizer; by default Adam at 1e-3.
        scheduler: one of `litlab.modules.schedules`, with its options bound; `None` keeps the learning rate.
    """

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        loss: nn.Module | None = None,
        optimizer: MakeOptimizer | None = None,
        scheduler: Schedule | None = None,
    ) -> None:
        def metrics() -> dict[str, Metric]:
            return {"acc": MulticlassAccuracy(num_classes, average="micro", validate_args=False)}

        super().__init__(network, loss or nn.CrossEntropyLoss(), metrics, optimizer, scheduler)
