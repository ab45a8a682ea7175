"""What a LightningModule measures and logs, after every few steps and at the end of each epoch."""

import time
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torchmetrics import Metric

from litlab.lightning_internals import FastAttributes, is_last_batch
from litlab.modules.added import Added
from litlab.modules.meter import Flushed, Meter, as_float


class Measured(FastAttributes):
    """A LightningModule that measures the loss and the metrics of each split, and logs them.

    Args:
        make_metrics: makes the metrics of the task by name; called once for each split.
        weigh: see `Meter`.
        added: metrics of the user, beside those of the task.
    """

    def __init__(
        self,
        make_metrics: Callable[[], dict[str, Metric]],
        weigh: Callable[[Tensor], Tensor] | None = None,
        added: Added | None = None,
    ) -> None:
        super().__init__()
        self.meters = {split: Meter(make_metrics(), weigh, added) for split in ("train", "val", "test")}
        self.log_every_n_steps = 50  # the Trainer's, once it is known, or the steps of an epoch if there are fewer
        self.flush_every_n_batches = 50  # of an evaluation; the Trainer's `log_every_n_steps`
        self.writes_rows = False  # True in a run of litlab: no logger gets a row from Lightning itself
        self.images_seen = 0  # by this process, in training
        # time.perf_counter() when training went on, after the start of an epoch or a validation
        self.trains_since = 0.0
        self.running: dict[str, float] = {}  # loss and metrics of the last block of steps, for the progress bar
        # The logged values by name, each as (step, value). `train/loss_step` begins with the loss of the first step.
        self.history: dict[str, list[tuple[int, float]]] = {}
        self.cut_epoch: dict[str, Any] | None = None  # the training meter, if `trainer.max_steps` has ended the epoch
        # An engine that runs ahead of the device replaces these two.
        self.later: Callable[[Callable[[], None]], None] = _call  # calls a function once the device has its values
        self.drain: Callable[[], None] = _nothing  # waits for the device, and calls all functions that are late

    def on_fit_start(self) -> None:
        self.log_every_n_steps = self.flush_every_n_batches = self.trainer.log_every_n_steps  # type: ignore[attr-defined]

    def log_at_least_once_an_epoch(self, steps: int) -> None:
        """Makes the curves of steps have a point for each epoch. If an epoch is one step, its own curves are enough.

        Args:
            steps: of the optimizer in an epoch.
        """
        if steps > 1:
            self.log_every_n_steps = min(self.log_every_n_steps, steps)

    @property
    def metric_names(self) -> list[str]:
        """The names that a run logs for training and validation: `train/loss`, `val/loss` and so on."""
        return [f"{split}/{name}" for split in ("train", "val") for name in self.meters[split].names]

    def on_train_epoch_start(self) -> None:
        self.trains_since = time.perf_counter()

    def on_validation_end(self) -> None:
        self.trains_since = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        self.cut_epoch = None
        if not is_last_batch(self.trainer):
            self.drain()
            self.cut_epoch = self.meters["train"].state_dict()
        self._log_epoch("train")

    def on_validation_start(self) -> None:
        if len(self.meters["train"]):  # finds a NaN before the weights that caused it are evaluated or saved
            self._log_block(self.global_step - 1)
        self.drain()

    def on_validation_epoch_end(self) -> None:
        self._log_epoch("val")

    def on_test_epoch_end(self) -> None:
        self._log_epoch("test")

    def measure(self, loss: Tensor, predictions: Tensor, targets: Tensor, step: int) -> None:
        """Counts a training batch: its loss [], predictions [B, ...] and targets [B, ...]."""
        self.images_seen += len(targets)
        self.meters["train"].add(loss, predictions, targets, step)

    def log_if_due(self, step: int) -> None:
        """Logs the steps since the last time if `step`, from 0, ends a period of `trainer.log_every_n_steps`."""
        if (step + 1) % self.log_every_n_steps == 0:
            self._log_block(step)

    def _log_block(self, step: int) -> None:
        """Logs the loss and the metrics of the training steps since the last block."""
        flushed, epoch = self.meters["train"].flush(), self.current_epoch
        self.later(lambda: self._write_block(flushed, step, epoch))

    def _write_block(self, flushed: Flushed, step: int, epoch: int) -> None:
        flushed.check()
        self._note_first_loss(flushed)
        self.running = {name: as_float(value) for name, value in flushed.values.items()}
        self._log({f"train/{name}_step": value for name, value in self.running.items()}, step, epoch)

    def _log_epoch(self, split: str) -> None:
        """Logs the loss and the metrics of a whole pass over a split."""
        self.drain()
        meter = self.meters[split]
        if len(meter):
            flushed = meter.flush()
            flushed.check()
            if split == "train":
                self._note_first_loss(flushed)
        values = {f"{split}/{name}": value for name, value in meter.compute().items()}
        if self.trainer.sanity_checking:
            return
        is_asked_for = self._is_asked_for()
        self.log_dict(values, logger=is_asked_for)
        numbers = {name: as_float(value) for name, value in values.items()}
        self._log(numbers, self.global_step, self.current_epoch, to_loggers=not is_asked_for)
        if split != "val":  # validation and the end of the training epoch are one row
            for logger in self.loggers:
                logger.save()

    def _is_asked_for(self) -> bool:
        """Whether this is `trainer.test` or `trainer.validate` of a user, who gets the metrics back.

        Lightning returns and prints only what it gives to the loggers itself.
        """
        return self.trainer.state.fn in ("validate", "test") and not self.writes_rows

    def _note_first_loss(self, flushed: Flushed) -> None:
        if flushed.start == 0 and not self.history:
            self.history["train/loss_step"] = [(0, as_float(flushed.losses[0]))]

    def _log(self, values: dict[str, float], step: int, epoch: int, to_loggers: bool = True) -> None:
        # `log_dict` would log the training epoch one step before the validation.
        for logger in self.loggers if to_loggers else ():
            logger.log_metrics({"epoch": epoch, **values}, step)
        for name, value in values.items():
            self.history.setdefault(name, []).append((step, value))


def _call(function: Callable[[], None]) -> None:
    function()


def _nothing() -> None:
    pass
