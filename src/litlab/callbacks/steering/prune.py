"""Ends a run of a sweep that is hopeless compared with the others."""

from collections.abc import Callable

import lightning
from lightning.pytorch.callbacks import Checkpoint

from litlab.modules import as_float


class Prune(Checkpoint):
    """Asks after each validation whether the run is hopeless. If so, the run ends with this epoch, and is saved.

    It is a `Checkpoint`, because Lightning calls those last, when the training metrics of the epoch are there too. It
    must come before the callback that saves.

    Args:
        objective: the logged metric to compare, such as `val/acc`.
        hopeless: takes the number of finished epochs and the value. Only rank 0 calls it. None where there is no
            comparison, and on other hosts, which do not know of it.
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
