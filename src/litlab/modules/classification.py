"""Classification: one class for each image."""

from collections.abc import Mapping

from torch import nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from litlab.modules.accuracy import SoftAccuracy
from litlab.modules.added import Added, of_classes
from litlab.modules.schedules import Schedule
from litlab.modules.supervised import MakeOptimizer, Supervised


class Classification(Supervised):
    """Trains a network that maps images [B, C, H, W] to logits [B, num_classes], on class indices int64 [B].

    Logs the loss and the accuracy (`acc`). With `top5`, it also logs how often the right class has one of the five
    largest logits (`acc_top5`).

    Args:
        network: from images to logits.
        num_classes: number of classes.
        loss: from (logits, targets) to a scalar; None means cross-entropy.
        optimizer: from parameters to an optimizer; None means Adam with learning rate 1e-3.
        scheduler: one of `litlab.modules.schedules`, with its options bound; None keeps the learning rate.
        top5: log `acc_top5` too.
        soft_targets: training targets may be shares of the classes, float32 [B, num_classes], as `litlab.data.Mix`
            makes them.
        metrics: more metrics of torchmetrics by name. Each is updated with probabilities [B, num_classes] and class
            indices [B]. Of shares of the classes, the largest counts.

    Raises:
        ValueError: `top5` with five classes or fewer, where it is always 1; two metrics of one name.
    """

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        loss: nn.Module | None = None,
        optimizer: MakeOptimizer | None = None,
        scheduler: Schedule | None = None,
        top5: bool = False,
        soft_targets: bool = False,
        metrics: Mapping[str, Metric] | None = None,
    ) -> None:
        if top5 and num_classes <= 5:
            raise ValueError(f"top5 needs more than 5 classes, not {num_classes}")

        def own_metrics() -> dict[str, Metric]:
            counted = {"acc": 1, "acc_top5": 5} if top5 else {"acc": 1}
            if soft_targets:
                return {name: SoftAccuracy(k) for name, k in counted.items()}
            return {
                name: MulticlassAccuracy(num_classes, top_k=k, average="micro", validate_args=False)
                for name, k in counted.items()
            }

        added = Added(metrics, of_classes) if metrics else None
        super().__init__(network, loss or nn.CrossEntropyLoss(), own_metrics, optimizer, scheduler, added)
