"""A block of eager steps, on any device."""

from __future__ import annotations

import contextlib
from typing import Any

import lightning
import torch
from torch import Tensor

from litlab.data import Block
from litlab.engines.clock import StepClock
from litlab.engines.plan import Plan
from litlab.lightning_internals import is_accumulating
from litlab.modules import Supervised


class Blocks:
    """Trains on blocks of batches, with the numbers of Lightning's own loop.

    Args:
        trainer: of the run.
        module: what it trains.
        save_every_n_steps: `checkpoint.every_n_steps`.
    """

    name = "blocks"

    def __init__(self, trainer: lightning.Trainer, module: Supervised, save_every_n_steps: int | None = None) -> None:
        self.trainer, self.module = trainer, module
        self.clock = StepClock(trainer)
        self.plan = Plan(trainer, module, save_every_n_steps)

    # Called by the LightningModule

    def start(self) -> None:
        """Before the first step of a run, or of one that is resumed: makes the loader give blocks."""
        self.device = self.trainer.strategy.root_device
        self.mixed = str(self.trainer.precision).endswith("mixed")
        (self.optimizer,) = self.trainer.optimizers
        self.schedules = [
            config
            for config in self.trainer.lr_scheduler_configs
            if config.interval == "step" and not config.reduce_on_plateau
        ]
        self.trainer.train_dataloader.give_blocks(self.plan)  # type: ignore[union-attr]
        # An attribute of the instance, so that Lightning's own loop has no hook to call.
        object.__setattr__(self.module, "on_train_batch_start", self.begin)

    def renew(self) -> None:
        """After other parameters have begun to be trained. Eager steps find that by themselves."""

    def begin(self, batch: Block, batch_idx: int) -> None:
        """Before Lightning asks whether gradients are accumulated."""
        self.clock.begin(len(batch))

    def run(self, block: Block) -> Tensor:
        """Trains on a block; returns the loss of its last step, []."""
        self.plan.begin(len(block))
        loss = self.run_steps(block)
        self.clock.end(len(block))
        self.finish()
        self.plan.end()
        return loss

    def finish(self) -> None:
        """After the steps of a block."""

    # The steps

    def run_steps(self, block: Block) -> Tensor:
        """One step after the other."""
        module, trainer = self.module, self.trainer
        accumulated = trainer.accumulate_grad_batches
        first, count = self.clock.batches_done - len(block), len(block)
        ends_in_step = not is_accumulating(trainer)
        zeroed, total = 0, torch.zeros(())
        for number, batch in enumerate(block, first + 1):
            is_last = number == first + count
            steps_now = number % accumulated == 0 or (is_last and ends_in_step)
            images, targets = module.preprocess(*self.to_device(batch), training=True)
            if number == 1 and module.keeps_first_images:
                module.first_images = images
            total, loss, predictions = module.step(images, targets)
            step = self.clock.steps_done
            module.measure(loss, predictions, targets, step)
            if steps_now:
                module.log_if_due(step)
            with self.without_autocast():
                if (number - 1) % accumulated == 0:
                    self.optimizer.zero_grad()
                    zeroed += number != first + 1  # Lightning counts the first
                (total / accumulated if accumulated > 1 else total).backward()
                if steps_now:
                    self.look_before_step(is_last)
                    self.clip()
                    self.step_optimizer()
                    if not (is_last and ends_in_step):  # Lightning counts the last, and steps the schedules
                        self.clock.count_steps(1)
                        self.step_schedules(number)
        self.clock.count_zeroed(zeroed)
        return total.detach()

    def to_device(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        images, targets = batch
        return images.to(self.device, non_blocking=True), targets.to(self.device, non_blocking=True)

    def without_autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Lightning calls the training step in autocast, and backward and the optimizer out of it."""
        return torch.autocast(self.device.type, enabled=False) if self.mixed else contextlib.nullcontext()

    def look_before_step(self, is_last: bool) -> None:
        """Calls the hooks of the callbacks before the last step of a block; logging happens there."""
        if is_last:
            for part in (*self.trainer.callbacks, self.module):  # type: ignore[attr-defined]
                if callable(hook := part.on_before_optimizer_step):
                    hook(*((self.trainer, self.module) if part is not self.module else ()), self.optimizer)

    def clip(self) -> None:
        """Clips the gradients, as `trainer.gradient_clip_val` says."""
        trainer = self.trainer
        if trainer.gradient_clip_val:
            self.module.configure_gradient_clipping(
                self.optimizer, trainer.gradient_clip_val, trainer.gradient_clip_algorithm
            )

    def step_optimizer(self) -> None:
        self.optimizer.step()

    def step_schedules(self, batches: int) -> None:
        """Steps the schedules after a step that is not the last of its block."""
        for config in self.schedules:
            if batches % config.frequency == 0:
                self.module.lr_scheduler_step(config.scheduler, None)
                self.clock.count_schedule_steps(1)
