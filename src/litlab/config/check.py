"""Checks a composed config before anything is built from it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from litlab.config.groups import GROUPS, check_mappings
from litlab.config.hints import accepts, as_written, describe, must_be, signature, unknown_to
from litlab.config.objective import MONITORS, objective_mode
from litlab.config.resolved import missing, resolved
from litlab.config.targets import check_nested, find, target_of
from litlab.config.unread import (
    SWITCHES,
    check_below,
    check_finite,
    check_has_target,
    check_instead_of_training,
    check_metrics,
    check_switches,
    check_top_level,
    check_trainer,
)
from litlab.errors import ConfigError

MAY_BE_EMPTY = ("scheduler", "mix", "task")
FILLED_FROM_DATA = ("input_shape", "num_classes")  # keys of a model; null until the data set is known
# Keys of a model that litlab reads itself: its constructor does not get them. See litlab.training.weights.
OWN_MODEL_KEYS: dict[str, Any] = {
    "pretrained": bool,
    "weights": str | None,
    "weights_skip_head": bool,
    "unfreeze_at": int | None,
    "compile": bool,
}
# Likewise of an optimizer. See litlab.modules.groups.
OWN_OPTIMIZER_KEYS: dict[str, Any] = {"decay_norm_and_bias": bool, "backbone_factor": float, "layer_decay": float}
UNGROUPED = {"decay_norm_and_bias": True, "backbone_factor": 1.0, "layer_decay": 1.0}  # their values without groups
# Keys of a model that litlab reads itself if the constructor has no argument of that name. See `with_frozen_backbone`.
OF_EVERY_MODEL: dict[str, Any] = {"head": Literal["replace"], "freeze": Literal["backbone"] | None}
# Settings that take `auto`, and those that take null, although the constructor does not.
MAY_BE_AUTO = ("trainer.precision", "data.batch_size")
MAY_BE_NULL = ("trainer.max_steps", "callbacks.early_stopping.mode")
# The types of the settings that are in no group. All others have the types of a constructor's arguments.
TYPES: dict[str, Any] = {
    "seed": int,
    "objective": str,
    "top5": bool,
    "ema": float | None,
    "swa": float | None,
    "summary": bool,
    "list": bool,
    "lr_find": bool,
    "test": bool,
    "threads": int | None,
    "checkpoint.every_n_steps": int | None,
    "checkpoint.every_minutes": float | None,
    "checkpoint.keep": Literal["last", "all"] | int,
    "rewinds": int,  # this and the next are counted by the run itself
    "rewound_to": int | None,
    "preempt_grace_s": float,
    "engine": Literal["auto", "eager", "blocks", "graph"],
}
COUNTED = ("pictures", "most_wrong", "filters", "feature_maps", "projector")  # callbacks that show so many things
# Bounds that other libraries do not check, or that they check without naming the key: (lowest, highest, open?).
# With `open`, the value must be greater than the lowest.
BOUNDS: dict[str, tuple[float, float, bool]] = {
    **{f"data.{name}": (1, float("inf"), False) for name in ("batch_size", "eval_batch_size")},
    "data.num_workers": (0, float("inf"), False),
    "model.unfreeze_at": (0, float("inf"), False),
    "optimizer.lr": (0, float("inf"), True),
    "optimizer.weight_decay": (0, float("inf"), False),
    "optimizer.momentum": (0, 1, False),
    "optimizer.backbone_factor": (0, 1, True),
    "optimizer.layer_decay": (0, 1, True),
    "scheduler.gamma": (0, float("inf"), True),
    "scheduler.patience": (0, float("inf"), False),
    "scheduler.min_lr": (0, float("inf"), False),
    "trainer.max_epochs": (1, float("inf"), False),
    "trainer.max_steps": (-1, float("inf"), False),
    "trainer.accumulate_grad_batches": (1, float("inf"), False),
    "trainer.check_val_every_n_epoch": (1, float("inf"), False),
    "trainer.val_check_interval": (0, float("inf"), True),
    "trainer.limit_train_batches": (0, float("inf"), True),
    "trainer.limit_val_batches": (0, float("inf"), False),
    "trainer.limit_test_batches": (0, float("inf"), False),
    "trainer.log_every_n_steps": (1, float("inf"), False),
    "trainer.gradient_clip_val": (0, float("inf"), False),
    "trainer.num_sanity_val_steps": (-1, float("inf"), False),
    "trainer.num_nodes": (1, float("inf"), False),
    "callbacks.progress.refresh_seconds": (0, float("inf"), False),
    "callbacks.model_summary.max_depth": (1, float("inf"), False),
    **{f"callbacks.{name}.count": (1, float("inf"), False) for name in COUNTED},
    **{f"callbacks.{name}.every_n_epochs": (1, float("inf"), False) for name in ("pictures", "histograms")},
    "callbacks.pr_curves.max_classes": (1, float("inf"), False),
    "callbacks.projector.side": (1, float("inf"), False),
    "callbacks.early_stopping.patience": (0, float("inf"), False),
    "callbacks.early_stopping.min_delta": (0, float("inf"), False),
    "seed": (0, 2**32 - 1, False),
    "ema": (0, 1, True),
    "swa": (0, 1, True),
    "threads": (1, float("inf"), False),
    "checkpoint.every_n_steps": (1, float("inf"), False),
    "checkpoint.every_minutes": (0, float("inf"), True),
    "checkpoint.keep": (1, float("inf"), False),
    "rewinds": (0, 3, False),
    "preempt_grace_s": (3, float("inf"), False),
}
BELOW_HIGHEST = ("ema", "swa")  # these must be less than their highest number: with 1, an average has nothing in it
TOP_LEVEL = {*GROUPS, *(key.partition(".")[0] for key in TYPES)}
TOP_LEVEL |= {"name", "resume", "objective_mode", "on_nan", "callbacks", "logger", "metrics"}
CHECKPOINT = [key.partition(".")[2] for key in TYPES if key.startswith("checkpoint.")]

# Numbers of batches if they are whole numbers, else shares of all batches.
COUNTS_OR_SHARES = (
    "trainer.limit_train_batches",
    "trainer.limit_val_batches",
    "trainer.limit_test_batches",
    "trainer.val_check_interval",
)


def check(cfg: DictConfig, overrides: Sequence[str] = (), chosen: Mapping[str, str] | None = None) -> None:
    """Checks the keys and the values of a config. The signature of each constructor says what it takes.

    Args:
        overrides: of the command line, for messages.
        chosen: the option of each group, likewise.

    Raises:
        ConfigError: at the first key that is missing, unknown, of the wrong type or out of bounds.
    """
    plain = resolved(cfg)
    check_mappings(plain, chosen or {})
    if "objective" in plain:
        objective_mode(cfg)
    check_types(cfg)
    _check_end(cfg)
    _check_checkpoints(cfg)
    for key in MONITORS:
        if (mode := OmegaConf.select(cfg, key)) not in (None, "min", "max"):
            raise ConfigError(f"{key}={mode}: must be min, max or null")
    if plain.get("on_nan", "stop") not in ("stop", "rewind"):
        raise ConfigError(f"on_nan={plain['on_nan']}: must be stop or rewind")
    for group in GROUPS:
        if group not in MAY_BE_EMPTY and not plain.get(group):
            raise ConfigError(missing(group))
        if plain.get(group) and "_target_" in plain[group]:
            _check_left_over(group, plain[group], overrides)
            check_group(group, plain[group])
    check_bounds(cfg)
    _check_unread(cfg, plain)


def _check_checkpoints(cfg: DictConfig) -> None:
    """Refuses settings of checkpoints where none are written."""
    if OmegaConf.select(cfg, "callbacks.checkpoints.enabled") is not False:
        return
    for key, usual in {"keep": "last", "every_n_steps": None, "every_minutes": None}.items():
        if (value := OmegaConf.select(cfg, f"checkpoint.{key}", default=usual)) != usual:
            raise ConfigError(f"checkpoint.{key}={value}: callbacks.checkpoints.enabled=false writes no checkpoints")


def _check_end(cfg: DictConfig) -> None:
    """Refuses a training without an end, and a time that cannot be read. Lightning would take 1,000 epochs."""
    epochs, steps, time = (OmegaConf.select(cfg, f"trainer.max_{name}") for name in ("epochs", "steps", "time"))
    if isinstance(time, int | float) or (isinstance(time, str) and not re.fullmatch(r"\d+:\d+:\d+:\d+", time.strip())):
        raise ConfigError(f"trainer.max_time={time}: must be DD:HH:MM:SS, such as 00:00:30:00 for half an hour")
    if "trainer" in cfg and epochs is None and steps in (None, -1) and time is None:
        raise ConfigError("trainer.max_epochs=null: the training has no end; set that, trainer.max_steps or max_time")
    least = OmegaConf.select(cfg, "trainer.min_epochs")
    if isinstance(least, int) and isinstance(epochs, int) and 0 < epochs < least:
        raise ConfigError(f"trainer.min_epochs={least}: must be at most trainer.max_epochs={epochs}")


def own_keys(group: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """The types of the keys of a group that its constructor does not get, because litlab reads them itself."""
    if group == "model":
        return own_model_keys(node)
    return OWN_OPTIMIZER_KEYS if group == "optimizer" else {}


def own_model_keys(model: Mapping[str, Any]) -> dict[str, Any]:
    """Likewise of a model."""
    parameters, _, takes_any = signature(find(str(model["_target_"])))
    return OWN_MODEL_KEYS | {k: hint for k, hint in OF_EVERY_MODEL.items() if k not in parameters and not takes_any}


def _check_unread(cfg: DictConfig, plain: Mapping[str, Any]) -> None:
    """Refuses what would be accepted and ignored."""
    check_top_level(cfg, plain, TOP_LEVEL)
    check_below(plain, "checkpoint", CHECKPOINT)
    check_trainer(plain["trainer"])
    check_finite(plain)
    check_instead_of_training(plain)
    callbacks = plain.get("callbacks") or {}
    check_switches(callbacks)
    check_metrics(plain.get("metrics") or {})
    for name, entry in (plain.get("logger") or {}).items():
        if entry:
            check_has_target(f"logger.{name}", entry)
            check_group(f"logger.{name}", {k: v for k, v in entry.items() if (k, v) != ("save_dir", None)})
    for name, entry in (plain.get("metrics") or {}).items():
        if entry:
            check_group(f"metrics.{name}", entry)
    for name, entry in callbacks.items():
        if entry and "_target_" in entry and entry.get("enabled", True):
            unread = {*SWITCHES, *(["save_dir"] if entry.get("save_dir") is None else [])}  # None: the run folder
            check_group(f"callbacks.{name}", {k: v for k, v in entry.items() if k not in unread})


def check_types(cfg: DictConfig) -> None:
    """Refuses a value of another type than the setting has. The settings are those that are in no group."""
    for key, hint in TYPES.items():
        value = OmegaConf.select(cfg, key, default=...)
        if value is not ... and not accepts(hint, value):  # a recorded config may be older than a setting
            raise ConfigError(f"{key}={as_written(value)}: must be {describe(hint)}")


def check_bounds(cfg: DictConfig) -> None:
    """Refuses numbers that are out of the bounds of their settings."""
    for key in BOUNDS:
        value = OmegaConf.select(cfg, key)
        if key in COUNTS_OR_SHARES and isinstance(value, float) and value > 1:
            raise ConfigError(f"{key}={value:g}: must be a whole number of batches, or a fraction of at most 1.0")
        if key == "trainer.max_steps" and value == 0:
            raise ConfigError("trainer.max_steps=0: must be -1 or at least 1")
        if isinstance(value, int | float):
            check_bound(key, value)


def check_bound(key: str, value: float) -> None:
    """Refuses a number that is out of the bounds of its setting."""
    low, high, is_open = BOUNDS[key]
    is_below = key in BELOW_HIGHEST
    if value < low or value > high or (is_open and value == low) or (is_below and value == high):
        bound = f"greater than {low}" if is_open else f"at least {low}"
        most = f" and {'less than' if is_below else 'at most'} {high}" if high < 2**40 else ""
        raise ConfigError(f"{key}={value}: must be {bound}{most}")


def _check_left_over(group: str, node: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Refuses what is left of an option of which the command line has replaced the `_target_` alone.

    A setting that nobody typed is so not the one to blame.
    """
    typed = {override.lstrip("+").partition("=")[0] for override in overrides}
    if f"{group}._target_" not in typed:
        return
    try:
        parameters, _, takes_any = signature(find(str(node["_target_"])))
    except Exception:  # of any kind: it cannot be imported, which is said of the group
        return
    known = {*parameters, *own_keys(group, node)}
    left = [key for key in node if key not in known and not key.startswith("_") and f"{group}.{key}" not in typed]
    if left and not takes_any:
        raise ConfigError(
            f"{group}._target_={node['_target_']} does not take {', '.join(left)}, which {group}=OPTION has: "
            f"write a file conf/{group}/NAME.yaml with its _target_ and its own settings, and {group}=NAME"
        )


def check_group(group: str, node: Mapping[str, Any]) -> None:
    """Checks the settings of one group against the signature of its `_target_`."""
    target = target_of(group, named := str(node["_target_"]))
    parameters, hints, takes_any = signature(target)
    own = own_keys(group, node)
    hints |= own
    parameters |= dict.fromkeys(key for key in own if key in node)
    for key, value in node.items():
        if (key.startswith("_") and key.endswith("_")) or (value is None and key in FILLED_FROM_DATA):
            continue
        if key not in parameters and not takes_any:
            raise ConfigError(f"{group}.{key} {unknown_to(target, named, key, parameters)}")
        may_be_auto = f"{group}.{key}" in MAY_BE_AUTO
        if (value == "auto" and may_be_auto) or (value is None and f"{group}.{key}" in MAY_BE_NULL):
            continue
        if key in hints and not accepts(hints[key], value):
            raise ConfigError(must_be(f"{group}.{key}", value, hints[key], " or auto" * may_be_auto))
        check_nested(f"{group}.{key}", value)
