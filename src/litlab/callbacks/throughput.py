"""Measures training speed."""

import time
from typing import Any

import lightning


class Throughput(lightning.Callback):
    """Counts the seconds and images of training itself, without validation, saving and set-up.

    `images_per_second` counts the images of all devices together. `last_epoch` is its value in the latest epoch.
    """

    def __init__(self) -> None:
        self.images, self.seconds = 0, 0.0
        self.last_epoch = 0.0
        self._epoch_images, self._paused = 0, 0.0

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
        self._started, self._paused = time.perf_counter(), 0.0
        self._epoch_images = pl_module.images_seen

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self._validation_started = time.perf_counter()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self._paused += time.perf_counter() - self._validation_started

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        seconds = time.perf_counter() - self._started - self._paused
        images = (pl_module.images_seen - self._epoch_images) * trainer.world_size
        self.images, self.seconds = self.images + images, self.seconds + seconds
        self.last_epoch = images / seconds
