"""The predictions of the last validation or test pass, and which of them are most confidently wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from torch import Tensor

from litlab.callbacks.find import callback_of
from litlab.callbacks.gather import gathered


class EvaluationOutputs(lightning.Callback):
    """Keeps the predictions and targets of the last validation or test pass, and those of the best validation.

    A batch costs one append. Nothing is copied, moved or computed until a callback asks for it. Where several processes
    share the images, each keeps the predictions of its own; `confusion` and `most_wrong` put them together.
    """

    def __init__(self) -> None:
        self._batches: list[tuple[Tensor, Tensor]] = []
        self._of_best: list[tuple[Tensor, Tensor]] | None = None

    def __bool__(self) -> bool:
        """Whether there are predictions."""
        return bool(self._batches)

    @property
    def predictions(self) -> Tensor:
        """What the network predicted, [N, ...], in the order of the data set where there is one process."""
        return torch.cat([predictions for predictions, _ in self._batches])

    @property
    def targets(self) -> Tensor:
        """What is true, [N, ...]."""
        return torch.cat([targets for _, targets in self._batches])

    def confusion(self, trainer: lightning.Trainer, num_classes: int) -> Tensor:
        """How often class i was taken for class j: int64 [num_classes, num_classes]. All processes must call this."""
        counts = torch.zeros(num_classes, num_classes, dtype=torch.long, device=trainer.strategy.root_device)
        if self._batches:  # there may be fewer images than processes
            pairs = self.targets * num_classes + self.predictions.argmax(1)
            counts = torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
        summed: Tensor = trainer.strategy.reduce(counts, reduce_op="sum")
        return summed

    def most_wrong(self, trainer: lightning.Trainer, indices: Sequence[int], count: int) -> list["Mistake"]:
        """The most confident mistakes of all processes, which must all call this.

        Args:
            indices: of the images in their data set, in the order in which this process has seen them.
            count: how many at most.
        """
        own = most_confident_mistakes(self.predictions, self.targets, indices, count) if self else []
        return of_all_processes(own, trainer, count)

    def mark_best(self) -> None:
        """Notes that these predictions are those of the best checkpoint so far."""
        self._of_best = self._batches

    def forget_best(self) -> None:
        """Notes that no checkpoint has the weights of the best predictions."""
        self._of_best = None

    def use_best(self) -> bool:
        """Goes back to the predictions of the best checkpoint, and returns whether this process has seen them."""
        if self._of_best is not None:
            self._batches = self._of_best
        return self._of_best is not None

    def on_validation_start(self, *_: Any) -> None:
        self._batches = []

    def on_test_start(self, *_: Any) -> None:
        self._batches = []

    def on_validation_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:
        self._batches.append((outputs, batch[1]))

    def on_test_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:
        self._batches.append((outputs, batch[1]))


def outputs_of(trainer: lightning.Trainer) -> EvaluationOutputs:
    """The `EvaluationOutputs` of a run.

    Raises:
        ValueError: if it has none.
    """
    collector = callback_of(trainer, EvaluationOutputs)
    if collector is None:
        raise ValueError("the Trainer's callbacks need an EvaluationOutputs, before the callbacks that use it")
    return collector


@dataclass(frozen=True)
class Mistake:
    """A wrong prediction: its probability, the index of the image in its data set, and the two classes."""

    probability: float
    index: int
    predicted: int
    true: int

    def caption(self, class_names: Sequence[str]) -> str:
        """What to write below the image: what the network said and how sure it was, and what is true."""
        return f"said {class_names[self.predicted]} ({self.probability:.0%})\nis {class_names[self.true]}"


def most_confident_mistakes(
    logits: Tensor, targets: Tensor, indices: Sequence[int], count: int, earlier: Sequence[Mistake] = ()
) -> list[Mistake]:
    """The wrong predictions with the highest probabilities, the highest first.

    Args:
        logits: [N, num_classes].
        targets: the true classes, [N].
        indices: of the N images in their data set.
        count: how many at most.
        earlier: mistakes of earlier batches, which compete with these.
    """
    probabilities, predicted = logits.float().softmax(1).max(1)
    wrong = probabilities.masked_fill(predicted == targets, -1)
    best = wrong.topk(min(count, len(wrong)))
    found = [
        Mistake(probability, indices[row], int(predicted[row]), int(targets[row]))
        for probability, row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        if probability >= 0
    ]
    return _most_confident([*earlier, *found], count)


def of_all_processes(own: list[Mistake], trainer: lightning.Trainer, count: int) -> list[Mistake]:
    """The most confident of the mistakes that the processes have found. All of them must call this."""
    if trainer.world_size == 1:
        return own
    return _most_confident([mistake for part in gathered(own, trainer.world_size) for mistake in part], count)


def _most_confident(mistakes: Sequence[Mistake], count: int) -> list[Mistake]:
    return sorted(mistakes, key=lambda mistake: -mistake.probability)[:count]
