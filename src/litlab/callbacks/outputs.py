"""What the network answered in the last evaluation, for the callbacks that look at it."""

from typing import Any

import lightning
import torch
from torch import Tensor

from litlab.callbacks.find import callback_of


class EvaluationOutputs(lightning.Callback):
    """Keeps the predictions and targets of the last validation or test pass.

    A batch costs one append; nothing is copied, moved or computed until somebody asks. Under several processes each
    keeps its own share, see `confusion` for the sum.
    """

    def __init__(self) -> None:
        self._batches: list[tuple[Tensor, Tensor]] = []

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._batches)

    @property
    def predictions(self) -> Tensor:
        """What the network made of the images, [N, ...], in the order of the data set on one process."""
        return torch.cat([predictions for predictions, _ in self._batches])

    @property
    def targets(self) -> Tensor:
        """What it should have been, [N, ...]."""
        return torch.cat([targets for _, targets in self._batches])

    def confusion(self, trainer: lightning.Trainer, num_classes: int) -> Tensor:
        """How often class i was taken for class j: int64 [num_classes, num_classes], over all processes."""
        counts = torch.zeros(num_classes, num_classes, dtype=torch.long, device=trainer.strategy.root_device)
        if self._batches:  # there may be fewer images than processes
            pairs = self.targets * num_classes + self.predictions.argmax(1)
            counts = torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
        summed: Tensor = trainer.strategy.reduce(counts, reduce_op="sum")
        return summed

    def on_validation_start(self, *_: Any) -> None:
        self._batches = []

    def on_test_start(self, *_: Any) -> None:
        self._batches = []

    def on_validation_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:
        self._batches.append((outputs, batch[1]))

    def on_test_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:
        self._batches.append((outputs, batch[1]))


def outputs_of(trainer: lightning.Trainer) -> EvaluationOutputs:
    """The collector of a run.

    Raises:
        ValueError: if it has none.
    """
    collector = callback_of(trainer, EvaluationOutputs)
    if collector is None:
        raise ValueError(
            "the Trainer's callbacks need an EvaluationOutputs, before those that look at what it collects"
        )
    return collector
