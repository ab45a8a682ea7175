"""Going on with a run: the settings that it may not change, and its files as they were at the checkpoint."""

from pathlib import Path
from typing import Any

from litlab.callbacks import Checkpoints
from litlab.callbacks.steering import KEY
from litlab.checkpoint import copy
from litlab.config import UNGROUPED, Run, filled_then, first_change, restored, select
from litlab.data.loader import OtherBatches
from litlab.errors import ConfigError
from litlab.runs import BEST, LATEST, RESULT
from litlab.training.build import Parts

# Keys, and the value that a run has which has not recorded the key.
FIXED: dict[str, Any] = {
    **dict.fromkeys(("model", "data._target_", "data.seed", "data.val_size", "optimizer._target_")),
    **{f"optimizer.{key}": value for key, value in UNGROUPED.items()},
    **dict.fromkeys(("mix._target_", "ema", "swa", "data.folds", "data.fold")),
    "data.stratified": False,
}

OF_STEPS = ("optimizer", "scheduler", "loss", "mix", "data.augment", "data.transforms", "data.batch_size")


def restore_settings(run: Run, saved: dict[str, Any]) -> Run:
    """Fills in what published weights had filled in when the run began, and refuses settings of another run.

    Args:
        saved: the checkpoint that the run goes on from.

    Raises:
        ConfigError: naming the setting that cannot change.
    """
    before = restored(saved["litlab"]["config"])
    run = run.settled(**filled_then(run.cfg, before))
    preprocess = saved["litlab"]["data"].get("preprocess")
    if preprocess and "resizer" not in preprocess:  # litlab 0.1 resized with Pillow
        run = run.settled(**{"data.resizer": "pillow"})
    now = restored(run.plain())  # interpolations are resolved, as in the checkpoint
    for key, default in FIXED.items():
        if _value(before, key, default) != _value(now, key, default):
            name = key.removesuffix("._target_")
            if key == "data.seed" and _value(before, "seed", None) != _value(now, "seed", None):
                name = "seed"  # data.seed is ${seed}
            raise ConfigError(f"{name} cannot change in a run that is resumed: start a new run")
    done, epochs = saved["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"], run.cfg.trainer.max_epochs
    if epochs not in (None, -1) and done > epochs:
        raise ConfigError(f"trainer.max_epochs={epochs}: the checkpoint is at the end of epoch {done} already")
    if done == epochs and (setting := first_change(before, now, OF_STEPS)):  # the run would record it as its own
        raise ConfigError(f"{setting}: nothing is left to train with it; give a higher trainer.max_epochs too")
    return run


def _value(cfg: Any, key: str, default: Any) -> Any:
    """The value of a key in a config, which may be older than a setting of the model."""
    value = select(cfg, key, default)
    return {"unfreeze_at": None} | dict(value) if key == "model" and value is not None else value


def check_same_batches(parts: Parts, saved: dict[str, Any]) -> None:
    """Refuses a setting that would give a run other batches in the middle of an epoch.

    Raises:
        ConfigError: naming the setting. No file of the run has changed yet.
    """
    fit_loop = saved["loops"]["fit_loop"]
    epoch, loaders = fit_loop["epoch_progress"]["current"], fit_loop["state_dict"].get("combined_loader")
    if not loaders or epoch["processed"] == epoch["started"]:
        return
    parts.data.trainer = parts.trainer  # the batches depend on it; `fit` would set it later
    try:
        parts.data.train_dataloader().check_same(loaders[0])  # type: ignore[attr-defined]
    except OtherBatches as error:
        raise ConfigError(f"data.{error}") from None


def reset_files(parts: Parts, saved: dict[str, Any] | None) -> None:
    """Cuts the files of the run folder back to the step of the checkpoint, or removes those of another run.

    Args:
        saved: the checkpoint that the run goes on from; None for a new run.
    """
    folder, resume_from = parts.run.folder, parts.run.checkpoint
    if not saved:  # first, so that no later start can resume from a checkpoint of the run that was here before
        for name in (*LATEST, BEST):
            (folder / name).unlink(missing_ok=True)
        if parts.checkpoints:
            parts.checkpoints.kept.restore(0, None)
    (folder / RESULT).unlink(missing_ok=True)
    if parts.checkpoints and resume_from and resume_from != parts.checkpoints.last:
        copy(resume_from, parts.checkpoints.last)  # before a log is cut back to the step of this checkpoint
    _remove_unfinished(folder)
    _cut_logs(parts, saved)
    if parts.checkpoints and saved and resume_from:
        _restore_best(parts.checkpoints, saved, resume_from)
        _restore_kept(parts.checkpoints, saved, resume_from)


def _remove_unfinished(folder: Path) -> None:
    """Removes the temporary files of a process that was killed while it saved."""
    for temporary in folder.glob(f"checkpoints/.*.ckpt.{'[!.]' * 8}"):
        temporary.unlink()


def _cut_logs(parts: Parts, saved: dict[str, Any] | None) -> None:
    """Cuts the files of the loggers back to the step of the checkpoint; empties them for a new run."""
    states = saved[KEY]["loggers"] if saved else {}
    for logger in parts.trainer.loggers:
        if hasattr(logger, "load_state_dict"):
            logger.load_state_dict(states.get(type(logger).__name__, {}), saved["global_step"] if saved else 0)


def _restore_best(checkpoints: Checkpoints, saved: dict[str, Any], resume_from: Path) -> None:
    """Writes `best.ckpt` if this checkpoint is the best one. A run may have been killed before it wrote that file."""
    state = saved["callbacks"][checkpoints.state_key]
    if state["best_step"] == saved["global_step"] and resume_from != checkpoints.best:
        copy(resume_from, checkpoints.best)


def _restore_kept(checkpoints: Checkpoints, saved: dict[str, Any], resume_from: Path) -> None:
    """Leaves the kept checkpoints as they were at the checkpoint that the run goes on from."""
    epoch = saved["loops"]["fit_loop"]["epoch_progress"]["current"]
    checkpoints.kept.load(saved["callbacks"][checkpoints.state_key].get("kept", {}))
    at_end = epoch["processed"] == epoch["started"]
    checkpoints.kept.restore(epoch["processed"], resume_from if at_end else None)
