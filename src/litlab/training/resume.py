"""What a run may change when it goes on, and its files taken back to where the checkpoint was written."""

from typing import Any

from litlab.callbacks.steering import KEY
from litlab.checkpoint import copy
from litlab.config import Run, filled_then, restored, select
from litlab.data.loader import OtherBatches
from litlab.errors import ConfigError
from litlab.runs import BEST, LATEST, RESULT
from litlab.training.build import Parts

FIXED = ("model", "data._target_", "data.seed", "data.val_size", "optimizer._target_")


def settle_as_before(run: Run, saved: dict[str, Any]) -> Run:
    """Fills in what the run had settled when it began. Refuses what would make it another run.

    Raises:
        ConfigError: naming the setting.
    """
    before = restored(saved["litlab"]["config"])
    run = run.settled(**filled_then(run.cfg, before))
    now = restored(run.plain())  # resolved, as the other is
    for key in FIXED:
        if select(before, key) != select(now, key):
            name = key.removesuffix("._target_")
            raise ConfigError(f"{name} cannot change in a run that is resumed: start a new run")
    done, epochs = saved["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"], run.cfg.trainer.max_epochs
    if epochs not in (None, -1) and done > epochs:
        raise ConfigError(f"trainer.max_epochs={epochs}: the checkpoint is at the end of epoch {done} already")
    return run


def check_batches(parts: Parts, saved: dict[str, Any]) -> None:
    """Refuses to go on in the middle of an epoch over other batches, before any file of the run is touched.

    Raises:
        ConfigError: naming the setting.
    """
    fit_loop = saved["loops"]["fit_loop"]
    epoch, loaders = fit_loop["epoch_progress"]["current"], fit_loop["state_dict"].get("combined_loader")
    if not loaders or epoch["processed"] == epoch["started"]:
        return
    parts.data.trainer = parts.trainer  # as `fit` will: the batches depend on it
    try:
        parts.data.train_dataloader().check_same(loaders[0])  # type: ignore[attr-defined]
    except OtherBatches as error:
        raise ConfigError(f"data.{error}") from None


def start_files(parts: Parts, saved: dict[str, Any] | None) -> None:
    """Takes the files of the run folder back to where the checkpoint was written, or to nothing."""
    folder, resume_from, kept = parts.run.folder, parts.run.checkpoint, parts.checkpoints
    if not saved:  # first of all: whatever ends this, nobody goes on from what another run has saved
        for name in (*LATEST, BEST):
            (folder / name).unlink(missing_ok=True)
    (folder / RESULT).unlink(missing_ok=True)
    if kept and resume_from and resume_from != kept.last:  # before anything is cut back to it
        copy(resume_from, kept.last)
    for left in folder.glob(f"checkpoints/.*.ckpt.{'[!.]' * 8}"):  # by a process that was killed while it saved
        left.unlink()
    states = saved[KEY]["loggers"] if saved else {}
    for logger in parts.trainer.loggers:
        if hasattr(logger, "load_state_dict"):
            logger.load_state_dict(states.get(type(logger).__name__, {}), saved["global_step"] if saved else 0)
    if kept and saved and resume_from:
        state = saved["callbacks"][kept.state_key]
        if state["best_step"] == saved["global_step"] and resume_from != kept.best:
            copy(resume_from, kept.best)  # the process may have ended between the two
