"""Faults from within a run, for moments that a clock outside cannot hit."""

import multiprocessing
import os
import signal
import time
import traceback
from pathlib import Path
from typing import Any

import lightning
import torch
from hydra.experimental.callback import Callback
from torch import Tensor

from litlab.data import MNISTSample


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


class SignalWhileAsking(lightning.Callback):
    """Sends each of several processes a signal, once, while they ask each other whether one of them had one.

    Args:
        signal_name: such as SIGINT.
        step: the global step from which on.
    """

    def __init__(self, signal_name: str, step: int) -> None:
        self.signum, self.step = getattr(signal, signal_name), step

    def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        ask = torch.distributed.all_reduce

        def all_reduce(*arguments: Any, **named: Any) -> Any:
            answer = ask(*arguments, **named)
            asking = any(call.name == "_stop_if_told" for call in traceback.extract_stack())
            if trainer.global_step >= self.step and asking:
                torch.distributed.all_reduce = ask
                os.kill(os.getpid(), self.signum)
            return answer

        torch.distributed.all_reduce = all_reduce


class Crash(lightning.Callback):
    """An error in the batch that makes step `step` + 1."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise RuntimeError("crashed")


class SignalWorker(lightning.Callback):
    """Sends one of the data workers a signal, once, in the batch that makes step `step` + 1."""

    def __init__(self, signal_name: str, step: int) -> None:
        self.signum, self.step, self.sent = getattr(signal, signal_name), step, False

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and not self.sent:
            self.sent = True
            os.kill(multiprocessing.active_children()[-1].pid, self.signum)


class BrokenData(MNISTSample):
    """A data set that cannot be had, for a reason that nobody has thought of."""

    def prepare_data(self) -> None:
        raise RuntimeError("the tape is torn")


class SignalWhilePrepared(MNISTSample):
    """A data set while whose preparation this process gets a signal; None: it gets none."""

    def __init__(self, signal_name: str | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.signal_name = signal_name

    def prepare_data(self) -> None:
        super().prepare_data()
        if self.signal_name:
            os.kill(os.getpid(), getattr(signal, self.signal_name))


class SignalInFinalizer(Callback):
    """After the first job of a sweep this process gets a signal while an object is finalized: its exception is lost."""

    def __init__(self, signal_name: str) -> None:
        self.signum = getattr(signal, signal_name)

    def on_job_end(self, **_: Any) -> None:
        signum, self.signum = self.signum, None

        class Finalized:
            def __del__(self) -> None:
                if signum:
                    signal.raise_signal(signum)

        Finalized()


class LongStep(lightning.Callback):
    """A step that takes a minute, or so many steps of so many seconds, after writing the file `begun` into the current
    folder."""

    def __init__(self, step: int, steps: int = 1, seconds: float = 60) -> None:
        self.steps, self.seconds = range(step, step + steps), seconds

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step in self.steps:
            Path("begun").touch()
            time.sleep(self.seconds)


class NaNLoss(lightning.Callback):
    """Makes one image of the batch for step `step` + 1 NaN, in one process, once in the life of the current folder."""

    def __init__(self, step: int, rank: int = 0) -> None:
        self.step, self.rank = step, rank

    def on_train_batch_start(self, trainer: lightning.Trainer, module: Any, batch: Any, *_: Any) -> None:
        if trainer.global_step == self.step and trainer.global_rank == self.rank and not Path("was_nan").exists():
            Path("was_nan").touch()
            step = module.step

            def with_nan(images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
                del module.step  # the following steps are the module's own
                images[0] = float("nan")
                return step(images, targets)

            module.step = with_nan
