"""What a checkpoint needs beside Lightning's, so that a resumed training computes what an undisturbed one would."""

import time
from typing import Any

import lightning
from lightning.pytorch.callbacks import EarlyStopping

from litlab.callbacks.gather import gathered
from litlab.callbacks.steering.new_settings import adopt, name_of
from litlab.callbacks.steering.random_state import random_state, set_random_state
from litlab.lightning_internals import end_restart, is_accumulating, resume_between_epochs, within_epoch

KEY = "litlab_resume"


class ExactResume(lightning.Callback):
    """Stores and restores with every checkpoint what the next steps depend on, beside weights and optimizer.

    Of every rank: the state of all random number generators, and the metrics of the epoch so far. Of the run: the
    logged curves, the latest metrics, whether it was told to stop, and how far its loggers have written. The latest
    metrics are needed because a plateau schedule takes its step after the checkpoint of an epoch.

    A run may go on with another number of processes. The batches and the metrics then stay the same. A process that
    finds no random state of its own begins a new stream of random numbers.

    Args:
        config: the composed config. Its optimizer, schedule and length apply where they differ from the checkpoint's,
            but what the schedule has reached stays. None: the checkpoint's apply.
    """

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        self.config = config
        self.seconds_before = 0.0
        self._began = time.perf_counter()
        self.resumed_at: int | None = None  # the step of the checkpoint; None: a new run
        self._loaded: dict[str, Any] = {}

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        resume_between_epochs(trainer)

    @property
    def seconds(self) -> float:
        """How long the run has taken, including the time before it was resumed."""
        return self.seconds_before + time.perf_counter() - self._began

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        pl_module.drain()  # type: ignore[operator]
        epoch: Any = trainer.fit_loop.epoch_progress.current
        is_cut = epoch.processed == epoch.started and pl_module.cut_epoch is not None
        meter = pl_module.cut_epoch if is_cut else pl_module.meters["train"].state_dict()  # type: ignore[union-attr,index]
        own = {"random": random_state(), "meter": meter}
        checkpoint[KEY] = {
            "ranks": gathered(own, trainer.world_size),
            "callback_metrics": {name: value.cpu() for name, value in trainer.callback_metrics.items()},
            "should_stop": trainer.should_stop,
            "images_seen": pl_module.images_seen,
            "history": pl_module.history,
            "seconds": self.seconds,
            "loggers": logger_states(trainer) if trainer.is_global_zero else {},
        }
        if is_cut:
            within_epoch(checkpoint["loops"]["fit_loop"], stepped=not is_accumulating(trainer))
        if trainer.validating:
            # Lightning's loops then begin with the validation of this epoch: for them, its first batch has started.
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
            checkpoint["lr_schedulers"] = []  # the progress of another kind of schedule cannot be used
        self.seconds_before, self.resumed_at = self._loaded["seconds"], checkpoint["global_step"]
        pl_module.history = self._loaded.get("history", {})
        pl_module.images_seen = self._loaded["images_seen"]
        trainer.should_stop = self._loaded["should_stop"] and not self._may_go_on()
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, EarlyStopping) and (saved := checkpoint["callbacks"].get(callback.state_key)):
                if callback.patience != saved["patience"]:  # an override; Lightning would restore the old value
                    trainer.should_stop = saved["wait_count"] >= callback.patience
                saved["patience"] = callback.patience

    def _may_go_on(self) -> bool:
        """Whether the settings that may have ended the run are others now."""
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
            # Lightning does this when it makes the loader. A schedule that asks for the steps has made it earlier.
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


def step_plateau_schedulers(trainer: lightning.Trainer) -> None:
    """Takes the step of plateau schedules that Lightning takes after the checkpoint of an epoch."""
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
    """Gives each process the state of its rank. With another number of processes, rank 0 gets all metrics."""
    rank, meter, device = trainer.global_rank, pl_module.meters["train"], pl_module.device
    if rank < len(ranks):
        set_random_state(ranks[rank]["random"])
    else:  # a new stream, which is the same when this is repeated
        lightning.seed_everything(trainer.global_step * 4096 + rank, verbose=False)
    if trainer.world_size == len(ranks):
        meter.load_state_dict(ranks[rank]["meter"], device)
    elif rank == 0:
        for saved in ranks:
            meter.merge(saved["meter"], device)


def logger_states(trainer: lightning.Trainer) -> dict[str, Any]:
    """How far each logger has written, if it can go back there."""
    return {type(x).__name__: x.state_dict() for x in trainer.loggers if hasattr(x, "state_dict")}
