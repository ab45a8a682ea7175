"""Ends a run early, at a signal, with nothing lost."""

import os
import signal
from types import FrameType
from typing import Any

import lightning

from litlab.callbacks.checkpoints import Checkpoints


class Interrupted(Exception):
    """The run was stopped by a signal, after `last.ckpt` was written."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class StopOnSignal(lightning.Callback):
    """At SIGINT (Ctrl-C), SIGTERM or SIGUSR1, saves after the current step and raises `Interrupted`.

    The same signal a second time ends the process at once. Handlers are in place inside a `with` block.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    EVERY_N_STEPS = 16  # how often several ranks ask each other whether one of them was told to stop

    def __init__(self, checkpoints: Checkpoints | None) -> None:
        self.checkpoints = checkpoints
        self.received: int = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        self._previous = {signum: signal.signal(signum, self._handle) for signum in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.received:
            os._exit(128 + signum)
        self.received = signum

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.world_size > 1:
            if trainer.global_step % self.EVERY_N_STEPS:
                return
            self.received = int(trainer.strategy.reduce(float(self.received), reduce_op="max"))
        if self.received:
            self._stop(trainer)

    def on_train_epoch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if self.received and trainer.world_size == 1:
            self._stop(trainer)

    def _stop(self, trainer: lightning.Trainer) -> None:
        if self.checkpoints:
            self.checkpoints.save(trainer)
        raise Interrupted(self.received)
