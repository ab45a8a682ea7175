"""Other settings for a run that is resumed: its optimizer and its schedules."""

import warnings
from collections.abc import Mapping
from typing import Any

import lightning
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from litlab.lightning_internals import set_schedule_rates, set_schedule_step

# Attributes of schedules that say how far they have come. All others are settings.
PROGRESS = ("last_epoch", "_step_count", "_last_lr", "best", "num_bad_epochs", "cooldown_counter", "optimizer")


def learning_rate(config: Mapping[str, Any]) -> float:
    """`optimizer.lr`, halved once for each time that the run went back after a NaN."""
    return float(config["optimizer"]["lr"] * 0.5 ** (config.get("rewinds") or 0))


def name_of(group: dict[str, Any] | None) -> str | None:
    """The class that a group of the config names, if any."""
    return (group or {}).get("_target_")


def adopt(trainer: lightning.Trainer, pl_module: Any, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Gives the restored optimizer and schedules the settings of `now`. What they have reached stays.

    A schedule counts steps, and an epoch has another number of steps if the batches have another size. So after a whole
    number of epochs, the schedule is set to the steps that as many epochs would have now.
    """
    made = pl_module.configure_optimizers()
    (fresh,), fresh_schedulers = made if isinstance(made, tuple) else ([made], [])
    (optimizer,) = trainer.optimizers
    other_schedule = name_of(before["scheduler"]) != name_of(now["scheduler"])
    factor = learning_rate(now) / learning_rate(before)
    whole_epochs = not trainer.fit_loop.restarted_mid_epoch
    epochs = trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
    reached = epochs * pl_module.steps_per_epoch if whole_epochs else trainer.global_step
    for group, wanted in zip(optimizer.param_groups, fresh.param_groups, strict=True):
        lr = wanted.get("initial_lr", wanted["lr"]) if other_schedule else group["lr"] * factor
        group.update({name: value for name, value in wanted.items() if name != "params"} | {"lr": lr})
    for config, new in zip(trainer.lr_scheduler_configs, fresh_schedulers, strict=True):
        schedule: Any = config.scheduler
        vars(schedule).update({k: v for k, v in vars(new["scheduler"]).items() if k not in PROGRESS})
        if config.interval == "step" and (whole_epochs or other_schedule):
            set_schedule_step(schedule, reached)
        if isinstance(schedule, LambdaLR | OneCycleLR):  # their rate is a function of the step alone
            with warnings.catch_warnings(action="ignore"):
                rates = schedule.get_lr()
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
            set_schedule_rates(schedule, [float(rate) for rate in rates])
