"""Keeps the best and the last checkpoint of a run."""

from pathlib import Path
from typing import Any, Literal

import lightning
from lightning.pytorch.callbacks import Checkpoint

from litlab import checkpoint as door
from litlab.modules.meter import plain


class Checkpoints(Checkpoint):
    """Writes `last.ckpt` after every epoch, and makes it `best.ckpt` too when `monitor` has improved.

    Lightning's `ModelCheckpoint` writes `last.ckpt` only in epochs that enter its top k, and stores absolute paths.

    Args:
        folder: where the two files go.
        monitor: the logged metric that decides, such as `val/acc`.
        mode: whether more of it is better.
        record: plain data stored under `litlab` in each checkpoint (see `litlab.checkpoint`).
    """

    def __init__(self, folder: Path, monitor: str, mode: Literal["min", "max"], record: dict[str, Any]) -> None:
        self.best, self.last = folder / "best.ckpt", folder / "last.ckpt"
        self.monitor, self.mode, self.record = monitor, mode, record
        self.best_score: float | None = None
        self.best_metrics: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        metrics = epoch_metrics(trainer)
        improved = self._improves(metrics[self.monitor])
        if improved:
            self.best_score, self.best_metrics = metrics[self.monitor], metrics
        self.save(trainer)
        if improved and trainer.is_global_zero:
            door.copy(self.last, self.best)

    def save(self, trainer: lightning.Trainer) -> None:
        """Writes `last.ckpt` now."""
        trainer.save_checkpoint(self.last)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["litlab"] = {**self.record, "metrics": epoch_metrics(trainer)}

    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self.best_score, "best_metrics": self.best_metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_score, self.best_metrics = state_dict["best_score"], state_dict["best_metrics"]

    def _improves(self, score: float) -> bool:
        if self.best_score is None:
            return True
        return score > self.best_score if self.mode == "max" else score < self.best_score


def epoch_metrics(trainer: lightning.Trainer) -> dict[str, float]:
    """The loss and metrics of each split, as last computed."""
    splits = ("train/", "val/", "test/")
    return {name: plain(value) for name, value in trainer.callback_metrics.items() if name.startswith(splits)}
