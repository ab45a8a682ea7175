"""Ends a run that has become hopeless in the eyes of whoever compares it with others."""

from collections.abc import Callable

import lightning
from lightning.pytorch.callbacks import Checkpoint

from litlab.modules import as_float


class Prune(Checkpoint):
    """Asks after each validation whether to give up; the run then ends with its epoch, everything saved.

    A `Checkpoint` to Lightning, which calls those when the metrics of an epoch are there, of training too; it must come
    before the one that saves.

    Args:
        objective: the logged metric that is reported, such as `val/acc`.
        hopeless: takes the number of epochs done and the value; asked on rank 0, whose answer counts. None where
            nobody compares, or on another host, which cannot know.
    """

    def __init__(self, objective: str, hopeless: Callable[[int, float], bool] | None) -> None:
        self.objective, self.hopeless = objective, hopeless
        self.pruned = False
        self.active = hopeless is not None

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if trainer.world_size > 1:
            self.active = trainer.strategy.reduce_boolean_decision(self.hopeless is not None, all=False)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not self.active or self.objective not in trainer.callback_metrics:
            return
        epochs, value = trainer.current_epoch + 1, as_float(trainer.callback_metrics[self.objective])
        told = trainer.is_global_zero and self.hopeless is not None and self.hopeless(epochs, value)
        if trainer.world_size > 1:
            told = trainer.strategy.reduce_boolean_decision(told, all=False)
        if told and epochs != trainer.max_epochs:
            self.pruned = trainer.should_stop = True

    def state_dict(self) -> dict[str, bool]:
        return {"pruned": self.pruned} if self.active else {}

    def load_state_dict(self, state_dict: dict[str, bool]) -> None:
        self.pruned = state_dict["pruned"]
