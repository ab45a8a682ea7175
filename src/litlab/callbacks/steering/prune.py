"""Ends a run of a sweep early: it is hopeless compared with the others, or waits for them."""

from collections.abc import Callable
from typing import Any

import lightning
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping

from litlab.modules import as_float


class Prune(Checkpoint):
    """Asks after each validation whether the run ends here. If so, it ends with this epoch, and is saved.

    It is a `Checkpoint`, because Lightning calls those last, when the training metrics of the epoch are there too. It
    must come before the callback that saves.

    Args:
        objective: the logged metric to compare, such as `val/acc`.
        hopeless: takes the number of finished epochs and the value. Only rank 0 calls it. None where there is no
            comparison, and on other hosts, which do not know of it.
        until: the number of epochs after which the run waits for the other jobs; None: it does not wait.
    """

    def __init__(
        self, objective: str, hopeless: Callable[[int, float], bool] | None = None, until: int | None = None
    ) -> None:
        self.objective, self.hopeless, self.until = objective, hopeless, until
        self.pruned = False
        self.active = hopeless is not None or until is not None

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self.active = _any_rank(trainer, self.active)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not self.active or self.objective not in trainer.callback_metrics:
            return
        epochs, value = trainer.current_epoch + 1, as_float(trainer.callback_metrics[self.objective])
        told = trainer.is_global_zero and self._ends(epochs, value)
        if _any_rank(trainer, told) and epochs != trainer.max_epochs:
            self.pruned = trainer.should_stop = True

    def _ends(self, epochs: int, value: float) -> bool:
        waits = self.until is not None and epochs >= self.until
        return waits or (self.hopeless is not None and self.hopeless(epochs, value))

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Lets a run go on that was pruned, unless what has pruned it says so still."""
        if trainer.state.fn != "fit" or not was_pruned(checkpoint):
            return
        epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
        stays = self.hopeless is not None or (self.until is not None and epochs >= self.until)
        if not _any_rank(trainer, stays):
            checkpoint["callbacks"][self.state_key]["pruned"] = False
            trainer.should_stop = any(_has_lost_patience(c, checkpoint) for c in trainer.callbacks)  # type: ignore[attr-defined]

    def state_dict(self) -> dict[str, bool]:
        return {"pruned": self.pruned} if self.active else {}

    def load_state_dict(self, state_dict: dict[str, bool]) -> None:
        self.pruned = state_dict["pruned"]


def was_pruned(checkpoint: dict[str, Any] | None) -> bool:
    """Whether a checkpoint was written when its run was pruned."""
    return bool(checkpoint and checkpoint["callbacks"].get(Prune.__qualname__, {}).get("pruned"))


def _any_rank(trainer: lightning.Trainer, told: bool) -> bool:
    """Whether one of the processes was told so."""
    return trainer.strategy.reduce_boolean_decision(told, all=False) if trainer.world_size > 1 else told


def _has_lost_patience(callback: lightning.Callback, checkpoint: dict[str, Any]) -> bool:
    """Whether a callback is an early stopping that had stopped the run as well."""
    saved = checkpoint["callbacks"].get(callback.state_key, {})
    return isinstance(callback, EarlyStopping) and saved.get("wait_count", 0) >= callback.patience
