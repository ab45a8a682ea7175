"""Classification: one of `num_classes` for each image."""

from torch import nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from litlab.modules.schedules import Schedule
from litlab.modules.supervised import MakeOptimizer, Supervised


class Classification(Supervised):
    """Trains a network that maps images [B, C, H, W] to logits [B, num_classes], on class indices [B].

    Logs loss and accuracy (`acc`), and if asked to, how often the right class is among the first five (`acc_top5`).

    Args:
        network: from images to logits.
        num_classes: how many classes there are.
        loss: from (logits, targets) to a scalar; by default cross-entropy.
        optimizer: from parameters to optimizer; by default Adam at 1e-3.
        scheduler: one of `litlab.modules.schedules`, with its options bound; `None` keeps the learning rate.
        top5: log `acc_top5` too.

    Raises:
        ValueError: if `top5` is asked for with five classes or fewer, where it is 1.
    """

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        loss: nn.Module | None = None,
        optimizer: MakeOptimizer | None = None,
        scheduler: Schedule | None = None,
        top5: bool = False,
    ) -> None:
        if top5 and num_classes <= 5:
            raise ValueError(f"top5 needs more than 5 classes, not {num_classes}")

        def metrics() -> dict[str, Metric]:
            counted = {"acc": 1, "acc_top5": 5} if top5 else {"acc": 1}
            return {
                name: MulticlassAccuracy(num_classes, top_k=k, average="micro", validate_args=False)
                for name, k in counted.items()
            }

        super().__init__(network, loss or nn.CrossEntropyLoss(), metrics, optimizer, scheduler)
