"""Averaged weights: they are validated, tested and saved, while others are trained (`ema=0.999`, `swa=0.75`)."""

from typing import Any

import lightning

from litlab.console import warn
from litlab.modules import Averages

KEY = "ema"  # in a checkpoint: what is needed to go on with the training
PREFIX = "network."  # of the names of the network's weights


class AveragedWeights(lightning.Callback):
    """Updates the average after each step of the optimizer, and gives it to the network wherever it is judged.

    `state_dict` of a checkpoint holds the averages, so whoever loads the file uses them.

    Args:
        averages: of the network; a submodule of the LightningModule, so that it moves to the device with it.
        begin: the part of the training after which the steps count, if all count the same, else None.
    """

    def __init__(self, averages: Averages, begin: float | None = None) -> None:
        self.averages, self.begin = averages, begin
        self.loaded = False
        self.began: float | None = None  # the step from which on the steps of the loaded checkpoint count

    def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if not self.loaded:
            self.averages.restart()
        if self.begin is not None:
            self._begin_at(round(self.begin * trainer.estimated_stepping_batches))
        for optimizer in trainer.optimizers:
            optimizer.register_step_post_hook(lambda *_: self.averages.update())

    def _begin_at(self, first: int) -> None:
        """Says which step is the first that counts. Warns if a checkpoint was averaged from another one on."""
        if self.began is not None and self.began != first < self.averages.steps:
            warn(
                f"swa={self.begin:g}: the mean of the weights began at step {self.began:.0f}, for a training of "
                f"another length, and not at {first}: the numbers are not those of a training that was never stopped"
            )
        self.averages.begin_at(first)

    def on_validation_start(self, *_: Any) -> None:
        if not self.averages.shown:
            self.averages.swap()

    def on_validation_end(self, *_: Any) -> None:
        if self.averages.shown:
            self.averages.swap()

    def on_fit_end(self, *_: Any) -> None:
        if not self.averages.shown:
            self.averages.swap()

    def on_save_checkpoint(self, trainer: lightning.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        saved, other = checkpoint["state_dict"], self.averages.other()
        trained = {name: saved[f"{PREFIX}{name}"] for name in other}
        if self.averages.shown:
            trained, other = other, trained
        saved |= {f"{PREFIX}{name}": value for name, value in other.items()}
        checkpoint[KEY] = {"trained": trained, "steps": float(self.averages.steps)}
        if self.begin is not None:
            checkpoint[KEY]["first"] = float(self.averages.first)

    def on_load_checkpoint(self, trainer: lightning.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        if trainer.state.fn != "fit" or KEY not in checkpoint:
            return
        self.averages.restart()  # the network has the averages of the checkpoint
        pl_module.network.load_state_dict(checkpoint[KEY]["trained"], strict=False)
        self.averages.steps.fill_(checkpoint[KEY]["steps"])
        self.began = checkpoint[KEY].get("first")
        self.averages.shown, self.loaded = False, True
