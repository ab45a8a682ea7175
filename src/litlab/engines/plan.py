"""Where a block ends."""

import math
import time

import lightning

from litlab.engines.clock import StepClock
from litlab.modules import Supervised

LONGEST_S = 0.5  # seconds of a block: signals, the progress bar and `max_time` are looked at between two


class Plan:
    """Says how many batches the next block has.

    It ends where something happens between two steps: logging, `checkpoint.every_n_steps`, a validation, `max_steps`,
    the end of the epoch, a step at which a callback looks at the weights. Nor does it last for long.

    Args:
        trainer: of the run.
        module: what it trains.
        save_every_n_steps: `checkpoint.every_n_steps`.
    """

    def __init__(self, trainer: lightning.Trainer, module: Supervised, save_every_n_steps: int | None = None) -> None:
        self.trainer, self.module, self.clock = trainer, module, StepClock(trainer)
        self.save_every_n_steps = save_every_n_steps
        self.longest = 1  # batches
        self.last_alone = False  # whether the last batch of an epoch is a block of its own
        self._began: float | None = None
        self._batches = 0

    def __call__(self, alike: int) -> int:
        """How many batches come next.

        Args:
            alike: how many of the batches that follow are of one size.
        """
        done = self.clock.batches_done
        ends = [alike, self.longest, self._batches_to(self._next_step())]
        if done == 0 and self.module.keeps_first_images:
            ends.append(1)
        if self.trainer.num_training_batches != math.inf:
            left = int(self.trainer.num_training_batches) - done
            ends.append(left - 1 if self.last_alone and left > 1 else left)
        if (every := self._validated_every()) is not None:
            total = self.trainer.check_val_every_n_epoch is None
            ends.append(every - (self.clock.loop.total_batch_idx + 1 if total else done) % every)
        return max(1, min(ends))

    def begin(self, batches: int) -> None:
        """Before a block is run."""
        self._began, self._batches = time.perf_counter(), batches

    def end(self) -> None:
        """After it was run, and the device has finished: sets how long the next may be."""
        if self._began is None:
            return
        each = (time.perf_counter() - self._began) / self._batches
        self.longest = max(1, min(4 * self._batches, int(LONGEST_S / max(each, 1e-6))))
        self._began = None

    def _next_step(self) -> int:
        """The number of steps done at which the block must end."""
        step = self.clock.steps_done
        periods = [self.module.log_every_n_steps, *([self.save_every_n_steps] if self.save_every_n_steps else [])]
        ends = [step + period - step % period for period in periods]
        if (most := self.trainer.max_steps) > step:
            ends.append(most)
        return min(ends + [stop for stop in self.module.looked_at if stop > step])

    def _batches_to(self, step: int) -> int:
        """From the batches done to those after which so many steps are done."""
        each = self.trainer.accumulate_grad_batches
        return (step - self.clock.steps_done) * each - self.clock.batches_done % each

    def _validated_every(self) -> int | None:
        """Batches between two validations within an epoch."""
        every = self.trainer.val_check_batch
        return int(every) if isinstance(every, int | float) and every != math.inf else None
