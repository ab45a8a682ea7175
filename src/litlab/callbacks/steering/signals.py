"""Ends a run at a signal, and loses nothing."""

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

import lightning
import torch

from litlab.callbacks.steering.checkpoints import AGREE_EVERY_N_STEPS, Checkpoints
from litlab.callbacks.steering.resumable import can_resume_at_validation, can_resume_here
from litlab.distributed import NotedSignal
from litlab.errors import Interrupted

SAME_S = 1.0  # seconds within which a process passes a signal on
AGREE_EVERY_S = 0.2  # seconds, after which several ranks ask each other whether one of them has had a signal


def is_queued() -> bool:
    """Whether submitit has started this process."""
    return "SUBMITIT_EXECUTOR" in os.environ


def interruption(error: BaseException) -> Interrupted | None:
    """The signal that ended a run, if there was one; None if not.

    It may hide behind another error: Lightning's teardown fails if a loader is only half made.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, Interrupted):
        cause = cause.__context__
    return cause


class StopOnSignal(lightning.Callback):
    """At SIGINT (Ctrl-C), SIGTERM or SIGUSR1, saves after the current step and raises `Interrupted`.

    In a job that submitit has queued, SIGUSR2 does the same, and submitit queues the job again. SIGTERM is ignored
    there: the cluster sends both, and submitit acts on SIGUSR2.

    A second signal ends the process at once. So does the end of the grace period, in case a step or a file system
    hangs. The handlers are in place inside a `with` block. While no loop of the Trainer is running, for example while
    data are prepared, the handler itself raises. A process that follows rank 0 under torchrun or SLURM waits for
    the loop instead, or for the end of rank 0.

    Args:
        checkpoints: writes the checkpoint; None: nothing is saved.
        grace_s: seconds from the signal to the end of the process.
        twice: whether one signal may come twice, within `SAME_S`: to all processes of a group, and from the process
            that has started this one, which passes it on.
    """

    def __init__(self, checkpoints: Checkpoints | None, grace_s: float = 20, twice: bool = False) -> None:
        self.checkpoints = checkpoints
        self.grace_s = grace_s
        self.twice = twice
        self.signals = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGUSR1"):  # not on Windows
            self.signals += [signal.SIGUSR1, *([signal.SIGUSR2] if is_queued() else [])]
        self.received: int = 0
        self._received_at = 0.0
        self._in_loop = False
        self._follows = False  # rank 0, which gets the signal too: it ends all processes
        self._asked_at, self._asked_step, self._next_step = 0.0, 0, 0  # when the ranks asked last, and when next
        self._previous: dict[int, Any] = {}
        self._deadline: threading.Timer | None = None

    def __enter__(self) -> "StopOnSignal":
        self._previous = {signum: signal.signal(signum, self._handle) for signum in self.signals}
        earlier = self._previous[signal.SIGINT]
        if isinstance(earlier, NotedSignal):
            self._follows = True
            if signum := earlier.take():
                self._note(signum)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGTERM and is_queued():
            return
        if self.received:
            if self.twice and time.monotonic() - self._received_at < SAME_S:
                return
            os._exit(128 + signum)
        self._note(signum)
        if not (self._in_loop or self._follows):
            raise Interrupted(signum)

    def _note(self, signum: int) -> None:
        self.received, self._received_at = signum, time.monotonic()
        # Two seconds before the cluster sends SIGKILL.
        self._deadline = threading.Timer(max(1.0, self.grace_s - 2), self._give_up)
        self._deadline.daemon = True
        self._deadline.start()

    def _give_up(self) -> None:
        print(
            f"failed: stopped by {signal.Signals(self.received).name}; the step did not end within preempt_grace_s="
            f"{self.grace_s:g}, or the validation, so the checkpoint before it is the last",
            file=sys.stderr,
            flush=True,
        )
        os._exit(128 + self.received)

    def done(self) -> None:
        """Says that the run has left its loops in time."""
        if self._deadline is not None:
            self._deadline.cancel()

    def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._begin_loop(trainer)

    def on_test_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._begin_loop(trainer)

    def _begin_loop(self, trainer: lightning.Trainer) -> None:
        # Lightning has set a handler of its own. It sends a message to the other ranks, which they do not expect.
        for signum in self.signals:
            signal.signal(signum, self._handle)
        self._in_loop = True
        self._asked_at, self._asked_step, self._next_step = time.monotonic(), trainer.global_step, 0

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        asks = trainer.global_step >= self._next_step if trainer.world_size > 1 else self.received
        if asks and can_resume_here(trainer):
            self._stop_if_told(trainer, save=True)

    def on_validation_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if can_resume_at_validation(trainer):
            self._stop_if_told(trainer, save=True)

    def on_validation_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.world_size == 1 and self.received and can_resume_at_validation(trainer):
            self._stop_if_told(trainer, save=True)

    def on_train_epoch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._stop_if_told(trainer, save=False)  # the end of an epoch has just been saved

    def on_train_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._stop_if_told(trainer, save=False)

    def on_test_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.world_size == 1:
            self._stop_if_told(trainer, save=False)

    def on_test_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._stop_if_told(trainer, save=False)

    def teardown(self, *_: Any, **__: Any) -> None:
        self._in_loop = False

    def _stop_if_told(self, trainer: lightning.Trainer, save: bool) -> None:
        agreed = self.received
        if trainer.world_size > 1:
            # A signal that comes while the ranks ask is left for the next time: only some of them may have had it.
            now, steps = time.monotonic(), max(1, trainer.global_step - self._asked_step)
            # It must be a tensor: Lightning returns a plain number without asking the other ranks.
            own = torch.tensor([self.received, (now - self._asked_at) / steps], device=trainer.strategy.root_device)
            agreed, step_s = trainer.strategy.reduce(own, reduce_op="max").tolist()
            agreed = int(agreed)
            self._asked_at, self._asked_step = now, trainer.global_step
            self._next_step = trainer.global_step + max(
                1, min(AGREE_EVERY_N_STEPS, int(AGREE_EVERY_S / max(step_s, 1e-6)))
            )
        if not agreed:
            return
        self.received = agreed
        if save and self.checkpoints:
            self.checkpoints.save(trainer)
        raise Interrupted(agreed)
