"""Faults from within a run, for moments that a clock outside cannot hit."""

import os
import signal
from typing import Any

import lightning


class SignalAt(lightning.Callback):
    """Sends this process a signal, once, in the batch that makes step `step` + 1, or in another hook.

    Args:
        signal_name: such as SIGKILL.
        step: the global step at which.
        hook: where, such as on_validation_batch_end.
        rank: which process of several.
    """

    def __init__(self, signal_name: str, step: int, hook: str = "on_train_batch_start", rank: int = 0) -> None:
        self.sent = False

        def send(trainer: lightning.Trainer, *_: Any, **__: Any) -> None:
            if trainer.global_step == step and trainer.global_rank == rank and not self.sent:
                self.sent = True
                os.kill(os.getpid(), getattr(signal, signal_name))

        setattr(self, hook, send)
