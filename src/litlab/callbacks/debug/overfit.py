"""Learns one batch by heart."""

import math
from typing import Any

import lightning

from litlab.console import number, say
from litlab.errors import RunFailed

FEW = 10  # steps, too few to judge
LEARNED = 0.02  # part of the first loss below which a batch counts as learned


def not_one_batch(batches: float) -> str:
    """Says that there are so many batches, where one is to be learned."""
    return f"debug=overfit: there are {batches:,.0f} batches; write data.train_limit=N, at most data.batch_size"


class OverfitOneBatch(lightning.Callback):
    """Trains on one batch until its loss is nearly zero, and says whether it came there.

    A network that cannot learn one batch by heart cannot learn a data set: the cause is a mistake, not too little data.
    The data set must have one batch (`data.train_limit`). Augmentation and label smoothing, with which the loss cannot
    become zero, are switched off.

    Args:
        print_every_n_epochs: steps between two lines.
    """

    def __init__(self, print_every_n_epochs: int = 20) -> None:
        self.print_every_n_epochs = print_every_n_epochs
        self.first = self.lowest = math.nan  # losses
        self.steps = 0

    def setup(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        data, loss = trainer.datamodule, pl_module.loss  # type: ignore[attr-defined]
        left_out = ["augmentation"] if data.augment else []
        data.augment = []
        if getattr(loss, "label_smoothing", 0):
            loss.label_smoothing = 0.0
            left_out.append("label smoothing")
        if left_out:
            say(f"overfit       without {' and '.join(left_out)}")

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.num_training_batches != 1:
            raise RunFailed(not_one_batch(trainer.num_training_batches))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: Any) -> None:
        loss = float(outputs["loss"])
        if not self.steps:
            self.first = self.lowest = loss
        self.lowest = min(self.lowest, loss)
        if self.steps % self.print_every_n_epochs == 0:
            say(f"step {self.steps}: loss {number(loss)}")
        self.steps += 1
        if self.learned:
            trainer.should_stop = True

    @property
    def learned(self) -> bool:
        """Whether the loss is nearly zero."""
        return self.lowest <= LEARNED * self.first

    def on_train_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        span = f"loss {number(self.first)} to {number(self.lowest)} in {self.steps} step{'s' * (self.steps != 1)}"
        if self.learned:
            say(f"overfit       learned one batch by heart: {span}")
        elif self.steps < FEW:
            say(f"overfit       too short to tell: {span}; leave out trainer.max_epochs and trainer.max_steps")
        elif self.lowest < self.first / 2:
            say(f"overfit       not yet: {span}; try trainer.max_epochs={2 * (trainer.max_epochs or 1)}")
        else:
            say(
                f"overfit       did not learn one batch: {span}; try another optimizer.lr, then look at the labels "
                "(callbacks.pictures), the loss and the network"
            )
