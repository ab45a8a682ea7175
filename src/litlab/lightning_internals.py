"""What litlab needs of Lightning and no public name gives. The suite runs on the oldest and the newest version allowed.

Each function says which public way was tried. What is here can break with a new minor version of Lightning: this is
why pyproject.toml ends at the next one.
"""

import functools
import inspect
import os
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import lightning
import torch
from lightning.fabric.utilities import registry
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.profilers import PassThroughProfiler

EVERY_STEP = (  # not the hooks of validation: there Lightning looks at the signatures of the module's hooks
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)


# Where a training loop stands


def is_accumulating(trainer: lightning.Trainer) -> bool:
    """Whether the optimizer does not step after this batch (`trainer.accumulate_grad_batches`).

    Public: `(batch_idx + 1) % accumulate_grad_batches` is wrong for the last batches of an epoch.
    """
    return bool(trainer.fit_loop._should_accumulate())


def is_last_batch(trainer: lightning.Trainer) -> bool:
    """Whether the batch of now is the last of the epoch, by its limits too.

    Public: `trainer.is_last_batch` is about the loader alone, and not about `limit_train_batches`.
    """
    return bool(trainer.fit_loop.epoch_loop._num_ready_batches_reached())


def is_validated_next(trainer: lightning.Trainer) -> bool:
    """Whether a validation comes after the batch of now. Public: nothing says so of `val_check_interval`."""
    loop = trainer.fit_loop
    assert loop._data_fetcher is not None
    return bool(loop.epoch_loop._should_check_val_fx(loop._data_fetcher))


def count_batches_that_stepped(trainer: lightning.Trainer, count: int) -> None:
    """Adds to the number of batches after which the optimizer has stepped. Public: it is a private counter only."""
    trainer.fit_loop.epoch_loop._batches_that_stepped += count


def end_restart(trainer: lightning.Trainer) -> None:
    """Makes an epoch that was resumed in its middle end like any other.

    For Lightning it is still a restart, in which it leaves out the step of plateau schedules. Public: the property
    `restarting` returns True wherever there is a `max_steps`; every epoch would then begin where this one ends.
    """
    trainer.fit_loop._restarting = False


def resume_between_epochs(trainer: lightning.Trainer) -> None:
    """Makes a run with `trainer.max_steps` go on after the end of an epoch as any other run does.

    Lightning takes it for a restart within the epoch. It then trains one more batch of that epoch, if there was no
    validation at its end. Public: there is no switch for it.
    """
    trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]


def within_epoch(fit_loop: dict[str, Any], stepped: bool) -> None:
    """Turns the saved state of an epoch that ended early into that of a training which stops after a batch.

    `trainer.max_steps` and `trainer.max_time` end the epoch in which they stop a run. Lightning would leave out its
    other batches in a resume, or with a `max_steps` train them and count the epoch twice.

    Args:
        fit_loop: of the checkpoint.
        stepped: whether the optimizer has stepped after the last batch.
    """
    for tracker in fit_loop["epoch_progress"].values():
        tracker["processed"] = tracker["completed"] = tracker["started"] - 1
    for tracker in (fit_loop["epoch_loop.batch_progress"][name] for name in ("total", "current")):
        tracker["completed"] = tracker["processed"] - 1
    fit_loop["epoch_loop.state_dict"]["_batches_that_stepped"] -= int(stepped)


def set_schedule_step(schedule: Any, step: int) -> None:
    """Makes a schedule count from `step`. Public: `load_state_dict` would take all else from the state as well."""
    schedule.last_epoch, schedule._step_count = step, step + 1


def set_schedule_rates(schedule: Any, rates: list[float]) -> None:
    """Tells a schedule what the learning rates are. Public: `get_last_lr` only reads them."""
    schedule._last_lr = list(rates)


# What Lightning does for every Trainer


def remember_entry_points() -> None:
    """Reads once a process what Lightning looks for in the metadata of all installed packages: callbacks of others.

    Public: there is no switch for it. It takes longer than all else in the constructor of the Trainer.
    """
    of_lightning: Any = registry
    if not hasattr(of_lightning.entry_points, "cache_info"):
        of_lightning.entry_points = functools.cache(of_lightning.entry_points)


# What Lightning does in every step


class NoProfiler(PassThroughProfiler):
    """Measures nothing, like Lightning's default, without making a generator for each measurement."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> Any:
        return self._nothing


def skip_empty_hooks(parts: Iterable[Callback | LightningModule]) -> None:
    """Skips the hooks of a training step that nobody overrides.

    Lightning calls a hook only if it is callable, so those become None. Public: there is no switch for it. More than
    half of a small step's time around the network went into such calls (`python tests/benchmarks/run.py`).
    """
    for part in parts:
        base = Callback if isinstance(part, Callback) else LightningModule
        for name in EVERY_STEP:
            if getattr(type(part), name) is getattr(base, name) and name not in vars(part):
                object.__setattr__(part, name, None)


def look_for_gpus_once() -> None:
    """Keeps Adam from looking for a GPU in every step on a machine without one.

    It looks by opening the driver's library anew (NVML), because Lightning sets this variable for data workers that are
    forked. Without a GPU they have nothing to inherit.
    """
    if not torch.cuda.is_available():
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)


class FastAttributes(LightningModule):
    """A LightningModule that loses no time on what Lightning does to it in every step."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_current_fx_name":  # Lightning sets it some forty times a step, and nn.Module looks for parameters
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)


def remember_signature(step: Any) -> None:
    """Keeps the signature of a step, which Lightning asks for in every batch. Making it takes as long as a layer."""
    step.__signature__ = inspect.signature(step)
