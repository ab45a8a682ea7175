"""Ends a run that has become hopeless in the eyes of whoever compares it with others."""

from collections.abc import Callable

import lightning
import torch

from litlab.modules.meter import plain


class Prune(lightning.Callback):
    """Asks after each validation whether to give up; the run then ends with its epoch, everything saved.

    Args:
        objective: the logged metric that is reported, such as `val/acc`.
        hopeless: takes the number of epochs done and the value; asked on rank 0.
    """

    def __init__(self, objective: str, hopeless: Callable[[int, float], bool]) -> None:
        self.objective, self.hopeless = objective, hopeless
        self.pruned = False

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        epochs = trainer.current_epoch + 1
        told = trainer.is_global_zero and self.hopeless(epochs, plain(trainer.callback_metrics[self.objective]))
        if trainer.world_size > 1:
            decision = torch.tensor(int(told), device=trainer.strategy.root_device)
            told = bool(trainer.strategy.reduce(decision, reduce_op="max"))
        if told and epochs != trainer.max_epochs:
            self.pruned = trainer.should_stop = True

    def state_dict(self) -> dict[str, bool]:
        return {"pruned": self.pruned}

    def load_state_dict(self, state_dict: dict[str, bool]) -> None:
        self.pruned = state_dict["pruned"]
