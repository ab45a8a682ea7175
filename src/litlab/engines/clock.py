"""Counts the steps of a block in Lightning's loops, for which a block is one batch."""

from typing import Any

import lightning

from litlab.lightning_internals import count_batches_that_stepped


class StepClock:
    """Makes Lightning's counters say what they would after as many batches and steps.

    Lightning itself counts one batch and one step for each block. The clock adds the others.
    """

    def __init__(self, trainer: lightning.Trainer) -> None:
        self.trainer = trainer
        self.loop = trainer.fit_loop.epoch_loop

    @property
    def batches_done(self) -> int:
        """Batches of this epoch that are done, or begun."""
        return int(self.loop.batch_progress.current.ready)

    @property
    def steps_done(self) -> int:
        """Optimizer steps of the whole training."""
        return int(self.trainer.global_step)

    def begin(self, batches: int) -> None:
        """Before a block of so many batches is run, and after Lightning has counted the first of them."""
        progress: Any = self.loop.batch_progress
        for counted in (progress.total, progress.current):
            counted.ready += batches - 1
            counted.started += batches - 1
        progress.is_last_batch = progress.current.ready >= self.trainer.num_training_batches

    def end(self, batches: int) -> None:
        """After its batches were run; Lightning then counts the last of them."""
        progress: Any = self.loop.batch_progress
        for counted in (progress.total, progress.current):
            counted.processed += batches - 1
            counted.completed += batches - 1

    def count_steps(self, steps: int) -> None:
        """Adds steps of the optimizer."""
        progress: Any = self.loop.automatic_optimization.optim_progress.optimizer
        for counted in (progress.step.total, progress.step.current):
            counted.ready += steps
            counted.completed += steps
        count_batches_that_stepped(self.trainer, steps)

    def count_zeroed(self, times: int) -> None:
        """Adds the times that gradients were set to zero."""
        progress: Any = self.loop.automatic_optimization.optim_progress.optimizer
        for counted in (progress.zero_grad.total, progress.zero_grad.current):
            counted.ready += times
            counted.started += times
            counted.completed += times

    def count_schedule_steps(self, steps: int) -> None:
        """Adds steps of learning-rate schedules."""
        for counted in (self.loop.scheduler_progress.total, self.loop.scheduler_progress.current):
            counted.ready += steps
            counted.completed += steps
