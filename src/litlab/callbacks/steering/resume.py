"""What Lightning leaves out of a checkpoint, so that a resumed training is the training it would have been."""

import random
import time
import warnings
from collections.abc import Mapping
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from litlab.lightning_internals import end_restart, set_schedule_rates, set_schedule_step

KEY = "litlab_resume"


class ExactResume(lightning.Callback):
    """Stores and restores, with every checkpoint, what the next step depends on beyond weights and optimizer.

    Of every rank: the state of all random number generators, and the metrics accumulated in this epoch. Of the run:
    the logged curves, the latest metrics (a plateau schedule takes its step after the checkpoint of an epoch), whether
    it was told to stop, and how far the loggers had written.

    Resumed by another number of processes, the batches and the accumulated metrics stay what they were, and each
    process beyond those that had saved begins a random stream of its own.

    Args:
        config: the composed config. Where its optimizer, schedule or length differ from those of the checkpoint, they
            apply; what was reached in the schedule stays.
    """

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        self.config = config
        self.seconds_before = 0.0
        self._began = time.perf_counter()
        self._loaded: dict[str, Any] = {}

    @property
    def seconds(self) -> float:
        """How long the run has taken, with what came before it was resumed."""
        return self.seconds_before + time.perf_counter() - self._began

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        pl_module.drain()  # type: ignore[operator]
        own = {"random": random_state(), "meter": pl_module.meters["train"].state_dict()}  # type: ignore[union-attr,index]
        checkpoint[KEY] = {
            "ranks": gathered(own, trainer.world_size),
            "callback_metrics": {name: value.cpu() for name, value in trainer.callback_metrics.items()},
            "should_stop": trainer.should_stop,
            "images_seen": pl_module.images_seen,
            "history": pl_module.history,
            "seconds": self.seconds,
            "loggers": logger_states(trainer) if trainer.is_global_zero else {},
        }
        if trainer.validating:
            # Makes Lightning's loops begin with this epoch's validation, as if its first batch had been started.
            progress = checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"]
            for tracker in (progress["total"], progress["current"]):
                tracker.update(ready=1, started=1, processed=0, completed=0)

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.fn != "fit":
            return
        loaders = checkpoint["loops"]["fit_loop"]["state_dict"].get("combined_loader")
        self._loaded = {**checkpoint[KEY], "config": checkpoint["litlab"]["config"], "loaders": loaders}
        if self.config and name_of(self.config["scheduler"]) != name_of(self._loaded["config"]["scheduler"]):
            checkpoint["lr_schedulers"] = []  # the progress of another schedule is of no use
        self.seconds_before = self._loaded["seconds"]
        pl_module.history = self._loaded.get("history", {})
        pl_module.images_seen = self._loaded["images_seen"]
        trainer.should_stop = self._loaded["should_stop"] and not self._may_go_on()
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, EarlyStopping) and (saved := checkpoint["callbacks"].get(callback.state_key)):
                if callback.patience != saved["patience"]:  # an override, which Lightning would put back
                    trainer.should_stop = saved["wait_count"] >= callback.patience
                saved["patience"] = callback.patience

    def _may_go_on(self) -> bool:
        """Whether what may have ended the run has other settings now."""
        before, now = self._loaded["config"], self.config or self._loaded["config"]
        return any(
            before[group].get(name) != now[group].get(name)
            for group, name in (("trainer", "max_time"), ("callbacks", "early_stopping"))
        )

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not self._loaded:
            return
        state, self._loaded = self._loaded, {}
        trainer.callback_metrics.update({k: v.to(pl_module.device) for k, v in state["callback_metrics"].items()})
        if state["loaders"] and trainer.fit_loop.restarted_mid_epoch:
            # Lightning would too, had a schedule's question for the number of steps not made the loader before.
            trainer.train_dataloader.load_state_dict(state["loaders"][0])  # type: ignore[union-attr]
        before, now = (
            {key: config.get(key) for key in ("data", "optimizer", "scheduler", "trainer", "rewinds")}
            for config in (state["config"], self.config or state["config"])
        )
        if before != now:
            adopt(trainer, pl_module, before, now)
        step_plateau_schedulers(trainer)
        restore_rank(trainer, pl_module, state["ranks"])

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        end_restart(trainer)


PROGRESS = ("last_epoch", "_step_count", "_last_lr", "best", "num_bad_epochs", "cooldown_counter", "optimizer")


def learning_rate(config: Mapping[str, Any]) -> float:
    """`optimizer.lr`, halved as often as the run went back after a NaN."""
    return float(config["optimizer"]["lr"] * 0.5 ** (config.get("rewinds") or 0))


def name_of(group: dict[str, Any] | None) -> str | None:
    return (group or {}).get("_target_")


def adopt(trainer: lightning.Trainer, pl_module: Any, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Gives the restored optimizer and schedules the settings of `now`; what they have reached stays.

    A schedule counts steps. After a whole number of epochs it stands where as many of the epochs of now would have
    brought it: they have another number of steps if the batches have another size.
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
    for config, made_anew in zip(trainer.lr_scheduler_configs, fresh_schedulers, strict=True):
        schedule: Any = config.scheduler
        vars(schedule).update({k: v for k, v in vars(made_anew["scheduler"]).items() if k not in PROGRESS})
        if config.interval == "step" and (whole_epochs or other_schedule):
            set_schedule_step(schedule, reached)
        if isinstance(schedule, LambdaLR | OneCycleLR):  # whose rate is a function of the step alone
            with warnings.catch_warnings(action="ignore"):
                rates = schedule.get_lr()
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
            set_schedule_rates(schedule, [float(rate) for rate in rates])


def step_plateau_schedulers(trainer: lightning.Trainer) -> None:
    """Takes the step that Lightning takes after the hooks of an epoch's end, if that is where it was saved."""
    if trainer.fit_loop.restarted_mid_epoch:
        return
    epochs = trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
    for config in trainer.lr_scheduler_configs:
        if config.reduce_on_plateau and config.interval == "epoch" and epochs % config.frequency == 0:
            assert config.monitor is not None
            trainer.fit_loop.epoch_loop.scheduler_progress.increment_ready()
            config.scheduler.step(trainer.callback_metrics[config.monitor])  # type: ignore[arg-type]
            trainer.fit_loop.epoch_loop.scheduler_progress.increment_completed()


def restore_rank(trainer: lightning.Trainer, pl_module: Any, ranks: list[dict[str, Any]]) -> None:
    """Gives each process what its rank had; with another number of processes, rank 0 all that was accumulated."""
    rank, meter, device = trainer.global_rank, pl_module.meters["train"], pl_module.device
    if rank < len(ranks):
        set_random_state(ranks[rank]["random"])
    else:  # a stream of its own, the same whenever this is repeated
        lightning.seed_everything(trainer.global_step * 4096 + rank, verbose=False)
    if trainer.world_size == len(ranks):
        meter.load_state_dict(ranks[rank]["meter"], device)
    elif rank == 0:
        for saved in ranks:
            meter.merge(saved["meter"], device)


def random_state() -> dict[str, Any]:
    """The state of every global random number generator, as tensors and plain data."""
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
        "python": [version, torch.tensor(words), gauss],
        "numpy": [kind, torch.from_numpy(np.asarray(keys, dtype=np.int64)), position, has_gauss, cached],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Sets what `random_state` returned."""
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))


def gathered(value: dict[str, Any], world_size: int) -> list[dict[str, Any]]:
    """`value` of every rank, in order."""
    if world_size == 1:
        return [value]
    values: list[Any] = [None] * world_size
    torch.distributed.all_gather_object(values, value)
    return values


def logger_states(trainer: lightning.Trainer) -> dict[str, Any]:
    """How far each logger that can go back has written."""
    return {type(x).__name__: x.state_dict() for x in trainer.loggers if hasattr(x, "state_dict")}
