"""Measures training speed."""

import time
from typing import Any

import lightning


class Throughput(lightning.Callback):
    """Counts the seconds and images of training itself, without validation, drawing, saving and set-up.

    `images_per_second` counts the images of all devices together. `last_epoch` is its value in the latest epoch. This
    must be the first callback, so that it stops its clock before other callbacks work. The module says when training
    goes on, because Lightning calls the module after all callbacks.
    """

    def __init__(self) -> None:
        self.images, self.seconds = 0, 0.0
        self.last_epoch = 0.0
        self._epoch_images, self._epoch_seconds = 0, 0.0

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds if self.seconds else 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"images": self.images, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.images, self.seconds = state_dict["images"], state_dict["seconds"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self.on_train_epoch_start(trainer, pl_module)  # Lightning does not call it for an epoch resumed in its middle

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self._epoch_images, self._epoch_seconds = pl_module.images_seen, 0.0

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        if not trainer.sanity_checking:
            self._stop(pl_module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self._stop(pl_module)
        images = (pl_module.images_seen - self._epoch_images) * trainer.world_size
        self.images, self.seconds = self.images + images, self.seconds + self._epoch_seconds
        self.last_epoch = images / self._epoch_seconds

    def _stop(self, pl_module: Any) -> None:
        pl_module.drain()  # a GPU may still be busy with the last steps
        self._epoch_seconds += time.perf_counter() - pl_module.trains_since
