"""Builds the Trainer of a run, with its callbacks and loggers."""

import importlib
import importlib.util
import os
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, ProgressBar

from litlab import lightning_internals
from litlab.callbacks import Panel, Panels
from litlab.checkpoint import PlainCheckpointIO
from litlab.config import SWITCHES, Run, build_entries
from litlab.console import is_rank_zero
from litlab.distributed.strategies import distribution
from litlab.errors import ConfigError, one_line
from litlab.training.methods import check_methods

WANDB = "lightning.pytorch.loggers.WandbLogger"
PACKAGES = {WANDB: "wandb", "lightning.pytorch.loggers.MLFlowLogger": "mlflow"}  # which a logger needs
OFFLINE = "or keep its files here, with logger.wandb.offline=true"
IN_RUN_FOLDER = ("tensorboard", "csv")  # loggers that a resumed run cuts back to the step of its checkpoint


def make_trainer(run: Run, first: Callback, callbacks: list[Callback], network: torch.nn.Module) -> lightning.Trainer:
    """Builds the Trainer with the loggers and callbacks of the config.

    Args:
        first: a callback that comes before those of the config.
        callbacks: of every run; they come after those of the config.

    Raises:
        ConfigError: if the Trainer, a logger or a callback refuses its values, or does not fit the network.
    """
    config = run.plain()
    entries = (config.get("logger") or {}).items()
    described = {name: _constructor(run, "logger", name, entry) for name, entry in entries if entry}
    loggers = list(build_entries(described, "logger").values())
    configured = _configured_callbacks(run, config.get("callbacks") or {}, network)
    arguments = {
        "callbacks": [first, *configured, *callbacks],
        "logger": loggers,
        "profiler": lightning_internals.NoProfiler(),
        "default_root_dir": str(run.folder),
        "use_distributed_sampler": False,  # litlab's own sampler divides the batches
        "enable_checkpointing": any(isinstance(callback, Checkpoint) for callback in callbacks),
        "enable_model_summary": False,
        "enable_progress_bar": any(isinstance(callback, ProgressBar) for callback in configured),
        **distribution(run.cfg.trainer.strategy, run.cfg.trainer.devices, run.cfg.trainer.accelerator),
    }
    arguments["plugins"] = [PlainCheckpointIO(), *arguments.get("plugins", ())]
    lightning_internals.remember_entry_points()
    trainer: lightning.Trainer = run.build("trainer", **arguments)
    lightning_internals.skip_empty_hooks(trainer.callbacks)  # type: ignore[attr-defined]
    lightning_internals.look_for_gpus_once()
    return trainer


def _configured_callbacks(run: Run, entries: dict[str, Any], network: torch.nn.Module) -> list[Callback]:
    """The callbacks that are switched on here. All TensorBoard panels are in one callback, the last."""
    described = {
        name: _constructor(run, "callbacks", name, entry)
        for name, entry in entries.items()
        if entry and entry.get("_target_") and entry.get("enabled", True)
        if run.job is None or entry.get("in_sweeps", True)
        if not (name == "model_summary" and is_shown_before(run))
    }
    callbacks, panels = [], []
    for name, callback in build_entries(described, "callbacks").items():
        if not isinstance(callback, Panel):
            if not isinstance(callback, Callback):
                target = described[name]["_target_"]
                raise ConfigError(f"callbacks.{name}: {target} must inherit from lightning.Callback, or be a Panel")
            check_methods(callback, Callback, f"callbacks.{name}")
            callbacks.append(callback)
            continue
        check_methods(callback, Panel, f"callbacks.{name}")
        try:
            callback.check_network(network)
        except ValueError as error:
            raise ConfigError(f"callbacks.{name}.{error}") from error
        panels.append(callback)
    return [*callbacks, Panels(panels, run.plain())] if panels else callbacks


def _constructor(run: Run, group: str, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The class of an entry of `callbacks` or `logger`, and its arguments.

    Raises:
        ConfigError: if the entry cannot work here.
    """
    if entry.get("save_dir") and group == "logger" and name in IN_RUN_FOLDER:
        raise ConfigError(f"logger.{name}.save_dir={entry['save_dir']}: must be null, the run folder")
    arguments = {key: value for key, value in entry.items() if key not in SWITCHES}
    if "save_dir" in entry and entry["save_dir"] is None:
        arguments["save_dir"] = str(run.folder)
    package = PACKAGES.get(entry.get("_target_", ""))
    if package and importlib.util.find_spec(package) is None:
        raise ConfigError(f"logger={name}: pip install {package} first")
    if entry.get("_target_") == WANDB and is_rank_zero() and not entry.get("offline"):
        _check_login(run)
    return arguments


def _check_login(run: Run) -> None:
    """Asks Weights & Biases for a login before the run begins. It would end in a traceback otherwise.

    Raises:
        ConfigError: if there is none.
    """
    if importlib.util.find_spec("wandb") is None or os.environ.get("WANDB_MODE", "online") not in ("online", "shared"):
        return
    try:
        importlib.import_module("wandb").login()
    except Exception as error:  # of wandb's own classes
        raise run.blame("logger", RuntimeError(f"{one_line(error).rstrip('.')}; {OFFLINE}")) from error


def is_shown_before(run: Run) -> bool:
    """Whether the same table of layers was printed: before a rewind, or by the first job of the sweep.

    The jobs have the same table if neither network nor data is swept.
    """
    if run.rewound:
        return True
    if run.job is None or run.job.number == 0:
        return False
    swept = [setting.lstrip("+") for setting in run.folder.name.split(",")]  # the job's folder is named by them
    return not any(setting.startswith(("model", "data", "experiment")) for setting in swept)
