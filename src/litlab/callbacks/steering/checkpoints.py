"""The best and the last checkpoint of a run."""

import contextlib
import errno
import io
import math
import time
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint

from litlab.callbacks.find import callback_of
from litlab.callbacks.outputs import EvaluationOutputs
from litlab.callbacks.steering.kept import Keep, KeptEpochs
from litlab.callbacks.steering.resumable import can_resume_at_validation, can_resume_here
from litlab.checkpoint import PlainCheckpointIO, copy, read, write
from litlab.console import warn
from litlab.files import atomic
from litlab.lightning_internals import is_last_batch
from litlab.modules import NonFiniteLoss, as_float
from litlab.runs import finite

BEST = ("best_score", "best_metrics", "best_step", "best_epoch")  # what a checkpoint says about the best one
AGREE_EVERY_N_STEPS = 16  # how often several ranks ask each other whether one of them wants to save or to stop


class Checkpoints(Checkpoint):
    """Writes `last.ckpt` after every epoch, and copies it to `best.ckpt` when `monitor` has improved.

    With `trainer.val_check_interval` it does so at each validation within an epoch, too.

    The checkpoint before the last is kept as `previous.ckpt`, in case the disk damages the last.
    Lightning's `ModelCheckpoint` writes `last.ckpt` only in epochs that are among its best, and stores absolute paths.
    A checkpoint that cannot be written does not end the training: a warning says so, and the next save tries again.

    Args:
        folder: where the files go.
        monitor: the logged metric that decides, such as `val/acc`.
        mode: `max` if higher values are better.
        record: plain data to store under `litlab` in each checkpoint (see `litlab.checkpoint`).
        every_n_steps: write `last.ckpt` within epochs too, every so many optimizer steps; None: do not.
        every_minutes: write `last.ckpt` within epochs too, so many minutes after the latest checkpoint; None: do not.
        keep: which checkpoints of earlier epochs stay: `last` (none), `all`, or so many of the best; see `KeptEpochs`.
    """

    def __init__(
        self,
        folder: Path,
        monitor: str,
        mode: Literal["min", "max"],
        record: dict[str, Any],
        every_n_steps: int | None = None,
        every_minutes: float | None = None,
        keep: Keep = "last",
    ) -> None:
        self.best, self.last, self.previous = (folder / f"{name}.ckpt" for name in ("best", "last", "previous"))
        self.monitor, self.mode, self.record = monitor, mode, record
        self.every_n_steps, self.every_minutes = every_n_steps, every_minutes
        self.kept = KeptEpochs(folder, keep, mode)
        self.best_score: float | None = None
        self.best_metrics: dict[str, float] = {}
        self.best_step: int | None = None
        self.best_epoch: int | None = None  # from 1; None also after a resume from a checkpoint of an older litlab
        self.unsaved: dict[str, str] = {}  # files that could not be written: name to reason, in one line
        self._best_unwritten = b""
        self._is_lost = False  # whether best.ckpt could not be written when there was a better one
        self._in_file = self._of_best()  # what best.ckpt holds, as far as this run has written it
        self._seen_nan = False
        self._is_within = self._is_saved = False  # of the validation that runs: whether it is within an epoch
        self._saved_at = time.monotonic()
        self._saved_step = 0

    def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if self._is_due(trainer) and can_resume_here(trainer):
            self.save(trainer)

    def on_validation_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._is_within = can_resume_at_validation(trainer) and not is_last_batch(trainer)
        if self._is_within:
            self._is_saved = self.save(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Judges a validation within an epoch. That at its end is judged after the epoch.

        The checkpoint from before the validation becomes the best, with what the validation has found. A run that goes
        on from it begins with the same validation.
        """
        if not self._is_within:
            return
        self._is_within = False
        metrics = {name: value for name, value in epoch_metrics(trainer).items() if name.startswith("val/")}
        if self._judge(trainer, metrics) and trainer.is_global_zero:
            found = {k: v.cpu() for k, v in pl_module.state_dict().items() if not k.startswith("network.")}
            self._make_best(trainer, self._is_saved, {"metrics": finite(metrics), "state": found})

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        metrics = epoch_metrics(trainer)
        improved = self._judge(trainer, metrics)
        self.kept.choose(trainer.current_epoch + 1, finite(metrics).get(self.monitor))
        saved = self.save(trainer)
        if not trainer.is_global_zero:
            return
        if saved:
            self._keep_epoch(trainer)
        if improved:
            self._make_best(trainer, saved)
        elif self.best.name not in self.unsaved and self.best_step is not None and not self.best.exists():
            self._note(self.best, FileNotFoundError(errno.ENOENT, "it has been removed"), self.best_step)

    def _judge(self, trainer: lightning.Trainer, metrics: dict[str, float]) -> bool:
        """Whether these metrics are the best so far; notes that they are."""
        score = metrics.get(self.monitor)  # None: not every epoch is validated
        if score is not None and math.isnan(score):
            score = None
            if not self._seen_nan:
                warn(f"{self.monitor} is NaN after epoch {trainer.current_epoch + 1}: such an epoch cannot be the best")
            self._seen_nan = True
        improved = score is not None and self._improves(score)
        if improved:
            self._best_unwritten, self._is_lost = b"", False  # of an earlier epoch, which is no longer the best
            self.best_score, self.best_metrics, self.best_step = score, metrics, trainer.global_step
            self.best_epoch = trainer.current_epoch + 1
            if outputs := callback_of(trainer, EvaluationOutputs):
                outputs.mark_best()
        return improved

    def _keep_epoch(self, trainer: lightning.Trainer) -> None:
        """Keeps the checkpoint of this epoch if it is to stay, or warns that this failed."""
        epoch = trainer.current_epoch + 1
        try:
            self.kept.write(epoch, self.last)
        except OSError as error:
            name, reason = self.kept.file(epoch).name, error.strerror or str(error)
            self.unsaved[name] = f"{name} ({reason})"
            warn(f"{name} could not be saved: {reason}; training goes on")

    def save(self, trainer: lightning.Trainer) -> bool:
        """Writes `last.ckpt` now. Returns True on rank 0 if that succeeded; the other ranks cannot tell.

        Raises:
            NonFiniteLoss: if a weight is NaN or infinite. The checkpoint before, which is good, then stays.
        """
        trainer.lightning_module.drain()  # type: ignore[operator]
        check_weights(trainer)
        if self._best_unwritten:  # first, because the state in `last.ckpt` says which one `best.ckpt` is
            self._write_best()
        trainer.save_checkpoint(self.last, storage_options=self.previous)
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step
        return self._note(self.last, _io(trainer).failure, trainer.global_step)

    def _make_best(self, trainer: lightning.Trainer, saved: bool, found: dict[str, Any] | None = None) -> None:
        """Makes the checkpoint of this step the best, or keeps it in memory until it can be written.

        Args:
            saved: whether it is in `last.ckpt`.
            found: the metrics, and what else of the state, that a validation has changed since then.
        """
        failure = None if saved else OSError("last.ckpt was not saved either")
        try:
            if saved and found is None:
                copy(self.last, self.best)
            elif saved:
                write(self._with_found(read(self.last), found), self.best)
        except OSError as error:
            failure = error
        if failure is None:
            self._in_file = self._of_best()
        else:
            self._is_lost = True
            self._best_unwritten = self.last.read_bytes() if saved else _io(trainer).unwritten or b""
            if found is not None and self._best_unwritten:
                checkpoint = torch.load(io.BytesIO(self._best_unwritten), map_location="cpu", weights_only=True)
                torch.save(self._with_found(checkpoint, found), content := io.BytesIO())
                self._best_unwritten = content.getvalue()
        self._note(self.best, failure, trainer.global_step)

    def _with_found(self, checkpoint: dict[str, Any], found: dict[str, Any] | None) -> dict[str, Any]:
        """The checkpoint from before a validation, with what the validation has found."""
        if found is not None:
            checkpoint["litlab"]["metrics"] = found["metrics"]
            checkpoint["state_dict"] |= found["state"]
            checkpoint["callbacks"][self.state_key] = self.state_dict() | self._of_best()
        return checkpoint

    def on_train_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        is_lost = self.settle_best()  # only rank 0 knows
        if trainer.strategy.reduce_boolean_decision(is_lost, all=False) and (
            outputs := callback_of(trainer, EvaluationOutputs)
        ):
            outputs.forget_best()

    def settle_best(self) -> bool:
        """Tries once more to write a best checkpoint that could not be written. If it fails, that of the file counts.

        The run then reports the numbers of the file that there is. Without a file there is no best one.

        Returns:
            Whether the best checkpoint is lost.
        """
        if self._best_unwritten:
            self._write_best()
        if self.best.name not in self.unsaved:
            return False
        there = self._in_file if self.best.exists() else dict.fromkeys(BEST) | {"best_metrics": {}}
        for name in BEST:
            setattr(self, name, there[name])
        return True

    def _of_best(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in BEST}

    def _write_best(self) -> None:
        with contextlib.suppress(OSError):
            self.best.parent.mkdir(parents=True, exist_ok=True)
            with atomic(self.best) as temporary:
                temporary.write_bytes(self._best_unwritten)
            self._best_unwritten, self._is_lost, self._in_file = b"", False, self._of_best()
            self.unsaved.pop(self.best.name, None)

    def _note(self, path: Path, failure: OSError | None, step: int) -> bool:
        if failure is None:
            self.unsaved.pop(path.name, None)
            return True
        reason = failure.strerror or str(failure)
        self.unsaved[path.name] = f"{path.name} of step {step} ({reason})"
        warn(f"{path.name} could not be saved at step {step}: {reason}; training goes on, the next save tries again")
        return False

    def _is_due(self, trainer: lightning.Trainer) -> bool:
        step = trainer.global_step
        if step == self._saved_step:
            return False
        if self.every_n_steps and step % self.every_n_steps == 0:
            return True
        if self.every_minutes is None:
            return False
        late = time.monotonic() - self._saved_at >= 60 * self.every_minutes
        if trainer.world_size == 1:
            return late
        # The ranks' clocks differ, and they must all save or none.
        return step % AGREE_EVERY_N_STEPS == 0 and trainer.strategy.reduce_boolean_decision(late, all=False)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["litlab"] = {**self.record, "metrics": finite(epoch_metrics(trainer))}

    def state_dict(self) -> dict[str, Any]:
        state = self._in_file if self._is_lost else self._of_best()  # a run that goes on looks for what is there
        return {**state, "kept": self.kept.state()} if self.kept.scores else state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name in BEST:
            setattr(self, name, state_dict.get(name, getattr(self, name)))
        self._in_file = self._of_best()
        self.kept.load(state_dict.get("kept", {}))

    def _improves(self, score: float) -> bool:
        if self.best_score is None or math.isnan(self.best_score):  # NaN: of a checkpoint of an older litlab
            return True
        return score > self.best_score if self.mode == "max" else score < self.best_score


def _io(trainer: lightning.Trainer) -> PlainCheckpointIO:
    io = trainer.strategy.checkpoint_io
    assert isinstance(io, PlainCheckpointIO)
    return io


def check_weights(trainer: lightning.Trainer) -> None:
    """Raises `NonFiniteLoss` if a parameter of the module is NaN or infinite."""
    parameters = [parameter for parameter in trainer.lightning_module.parameters() if parameter.numel()]
    with torch.no_grad():
        worst = torch.nn.utils.get_total_norm(parameters, norm_type=float("inf"))
    if not torch.isfinite(worst):
        raise NonFiniteLoss(worst.item(), trainer.global_step - 1, of_weights=True)


def epoch_metrics(trainer: lightning.Trainer) -> dict[str, float]:
    """The loss and metrics of each split, as last computed."""
    splits = ("train/", "val/", "test/")
    return {name: as_float(value) for name, value in trainer.callback_metrics.items() if name.startswith(splits)}
