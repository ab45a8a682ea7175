"""Refuses settings that nothing would read: unknown keys outside the groups that describe one object."""

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from litlab.config.hints import as_written
from litlab.config.leaves import leaves
from litlab.config.suggest import suggest
from litlab.errors import ConfigError

SET_BY_LITLAB = {  # arguments of Lightning's Trainer, and what to write in their place
    "callbacks": "write callbacks.NAME={_target_: ...}",
    "logger": "choose logger=default, tensorboard, csv, wandb, mlflow or none",
    "enable_checkpointing": "write callbacks.checkpoints.enabled=false",
    "enable_progress_bar": "write callbacks.progress.enabled=false",
    "enable_model_summary": "write callbacks.model_summary.enabled=false",
    "default_root_dir": "write hydra.run.dir=FOLDER",
    "profiler": "debug=profile shows where the time goes",
    "barebones": "leave it out",
    "limit_predict_batches": "leave it out; predict.py takes all pictures of input",
    "plugins": "leave it out",
    "use_distributed_sampler": "leave it out",
}
WITHOUT_TARGET = {
    "report": ("enabled", "in_sweeps"),
    "checkpoints": ("enabled",),
}  # callbacks that litlab builds itself
SWITCHES = ("enabled", "in_sweeps")  # of each callback; they are no arguments of its class
NOT_SET_BY_USERS = {"rewinds", "rewound_to", "hydra"}  # runs count the first two


def check_top_level(cfg: DictConfig, plain: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuses a key at the top that litlab does not know, unless another setting refers to it (`${width}`).

    Args:
        plain: the same config, with its interpolations resolved.
        known: the keys that litlab reads.
    """
    written = None
    for key in plain:
        if key in known:
            continue
        written = written or OmegaConf.to_yaml(cfg, resolve=False)
        if re.search(rf"\$\{{{re.escape(str(key))}[.}}]", written):
            continue
        if key in ("experiment", "debug"):  # their files are about the whole config
            raise ConfigError(f"{key}: the first line of conf/{key}/NAME.yaml must be `# @package _global_`")
        alike = [f"{group}.{key}" for group, node in plain.items() if isinstance(node, Mapping) and key in node]
        hint = f"did you mean {' or '.join(alike)}?" if alike else suggest(str(key), {*known} - NOT_SET_BY_USERS)
        raise ConfigError(f"{key} is unknown; {hint}")


def check_below(plain: Mapping[str, Any], group: str, known: Collection[str]) -> None:
    """Refuses an unknown key in a group that litlab reads itself, such as `checkpoint`."""
    for key in plain.get(group) or {}:
        if key not in known:
            raise ConfigError(f"{group}.{key} is unknown; {suggest(str(key), known)}")


def check_switches(callbacks: Mapping[str, Any]) -> None:
    """Refuses a switch that is neither true nor false, and a callback that nothing builds.

    Args:
        callbacks: the group of this name.
    """
    for name, entry in callbacks.items():
        if entry is None:
            continue
        if not isinstance(entry, Mapping):
            given = f"callbacks.{name}={as_written(entry)}"
            switch = f"callbacks.{name}.enabled={'true switches it on' if entry is True else 'false switches it off'}"
            raise ConfigError(f"{given}: must be a mapping; {switch}")
        own = WITHOUT_TARGET.get(name, ())
        for key in {*SWITCHES, *own} & entry.keys():
            if not isinstance(entry[key], bool):
                raise ConfigError(f"callbacks.{name}.{key}={entry[key]}: must be true or false")
        if "_target_" not in entry:
            if not own:
                check_has_target(f"callbacks.{name}", entry)
            for key in entry.keys() - set(own):
                raise ConfigError(f"callbacks.{name}.{key} is unknown; {suggest(str(key), own)}")


def check_metrics(metrics: Any) -> None:
    """Refuses a metric that nothing builds, and a name that cannot be logged.

    Args:
        metrics: the group of this name.
    """
    if not isinstance(metrics, Mapping):
        raise ConfigError(f"metrics={metrics}: must be a mapping of names, such as metrics.f1._target_=CLASS")
    for name, entry in metrics.items():
        if entry is None:
            continue
        if not re.fullmatch(r"[A-Za-z]\w*", str(name)):
            raise ConfigError(f"metrics.{name}: must be named with letters, digits and _ only, as in val/f1")
        check_has_target(f"metrics.{name}", entry)


def check_has_target(key: str, entry: Any) -> None:
    """Refuses an entry that nothing builds, such as `logger.mine` without a class."""
    if not isinstance(entry, Mapping) or "_target_" not in entry:
        raise ConfigError(f"{key} has no _target_, the class to build: nothing would read it")


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Refuses arguments of the Trainer that litlab sets itself, and would ignore."""
    for key in SET_BY_LITLAB.keys() & trainer.keys():
        raise ConfigError(f"trainer.{key}: litlab sets it itself; {SET_BY_LITLAB[key]}")


def check_finite(plain: Mapping[str, Any]) -> None:
    """Refuses infinity and NaN: `1e400` is infinite for a computer. A gradient may be as long as it likes."""
    for path, value in leaves(plain).items():
        if path == ("name",) or (path == ("trainer", "gradient_clip_val") and value == math.inf):
            continue
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, float) and not math.isfinite(number):
                raise ConfigError(f"{'.'.join(path)}={value}: must be a finite number")


def check_instead_of_training(plain: Mapping[str, Any]) -> None:
    """Refuses two settings that each do something else than train: the second would be ignored."""
    given = [key for key in ("summary", "lr_find") if plain.get(key)]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(f'{key}=true' for key in given)}: there can be one only; leave the other out")
