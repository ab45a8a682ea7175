"""Checks a composed config before anything is built from it."""

import difflib
from collections.abc import Collection, Mapping
from typing import Any, Literal

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from litlab.config.hints import accepts, describe, signature
from litlab.config.objective import objective_mode
from litlab.errors import ConfigError, one_line

GROUPS = ("data", "model", "loss", "optimizer", "scheduler", "mix", "trainer")
MAY_BE_EMPTY = ("scheduler", "mix")
FILLED_FROM_DATA = ("input_shape", "num_classes")  # keys of a model; null until the data set is known
# Keys of a model that litlab reads itself: its constructor does not get them. See litlab.training.weights.
OWN_MODEL_KEYS: dict[str, Any] = {
    "pretrained": bool,
    "weights": str | None,
    "weights_skip_head": bool,
    "compile": bool,
}
# Likewise of an optimizer. See litlab.modules.groups.
OWN_OPTIMIZER_KEYS: dict[str, Any] = {"decay_norm_and_bias": bool, "backbone_factor": float, "layer_decay": float}
UNGROUPED = {"decay_norm_and_bias": True, "backbone_factor": 1.0, "layer_decay": 1.0}  # their values without groups
OWN_KEYS = {"model": OWN_MODEL_KEYS, "optimizer": OWN_OPTIMIZER_KEYS}
# Settings that take `auto`, although the constructor does not.
MAY_BE_AUTO = ("trainer.precision", "data.batch_size")
# The types of the settings that are in no group. All others have the types of a constructor's arguments.
TYPES: dict[str, Any] = {
    "seed": int,
    "objective": str,
    "top5": bool,
    "ema": float | None,
    "summary": bool,
    "list": bool,
    "lr_find": bool,
    "test": bool,
    "threads": int | None,
    "checkpoint.every_n_steps": int | None,
    "checkpoint.every_minutes": float | None,
    "rewinds": int,  # this and the next are counted by the run itself
    "rewound_to": int | None,
    "preempt_grace_s": float,
    "engine": Literal["auto", "eager", "blocks", "graph"],
}
# Bounds that other libraries do not check, or that they check without naming the key: (lowest, highest, open?).
# With `open`, the value must be greater than the lowest.
BOUNDS: dict[str, tuple[float, float, bool]] = {
    "optimizer.lr": (0, float("inf"), True),
    "optimizer.weight_decay": (0, float("inf"), False),
    "optimizer.momentum": (0, 1, False),
    "optimizer.backbone_factor": (0, 1, True),
    "optimizer.layer_decay": (0, 1, True),
    "trainer.max_epochs": (1, float("inf"), False),
    "trainer.accumulate_grad_batches": (1, float("inf"), False),
    "trainer.log_every_n_steps": (1, float("inf"), False),
    "seed": (0, 2**32 - 1, False),
    "ema": (0, 1, True),
    "threads": (1, float("inf"), False),
    "checkpoint.every_n_steps": (1, float("inf"), False),
    "checkpoint.every_minutes": (0, float("inf"), True),
    "rewinds": (0, 3, False),
    "preempt_grace_s": (3, float("inf"), False),
}


def check(cfg: DictConfig) -> None:
    """Checks the keys and the values of a config. The signature of each constructor says what it takes.

    Raises:
        ConfigError: at the first key that is missing, unknown, of the wrong type or out of bounds.
    """
    plain = _resolved(cfg)
    if "objective" in plain:
        objective_mode(cfg)
    _check_types(cfg)
    if plain.get("on_nan", "stop") not in ("stop", "rewind"):
        raise ConfigError(f"on_nan={plain['on_nan']}: must be stop or rewind")
    for group in GROUPS:
        if group not in MAY_BE_EMPTY and not plain.get(group):
            raise ConfigError(f"{group} is missing: write {group}=...")
        if plain.get(group) and "_target_" in plain[group]:
            _check_group(group, plain[group])
    _check_bounds(cfg)


def suggest(name: str, known: Collection[str]) -> str:
    """`did you mean ...?`, if one of the known names is close, and all known names."""
    spelled = {str(option).lower().replace("-", "_"): option for option in known}
    close = [spelled[s] for s in difflib.get_close_matches(name.lower().replace("-", "_"), spelled, n=1, cutoff=0.7)]
    public = ", ".join(sorted(name for name in known if not name.startswith("_")))
    return (f"did you mean {close[0]}? " if close else "") + f"there is: {public}"


def _resolved(cfg: DictConfig) -> dict[Any, Any]:
    try:
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise ConfigError(f"{error.full_key} is missing: write {error.full_key}=...") from error
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(error)) from error
    assert isinstance(plain, dict)
    return plain


def _check_types(cfg: DictConfig) -> None:
    for key, hint in TYPES.items():
        value = OmegaConf.select(cfg, key, default=...)
        if value is not ... and not accepts(hint, value):  # a recorded config may be older than a setting
            raise ConfigError(f"{key}={value}: must be {describe(hint)}")


def _check_bounds(cfg: DictConfig) -> None:
    for key, (low, high, is_open) in BOUNDS.items():
        value = OmegaConf.select(cfg, key)
        if isinstance(value, int | float) and (value < low or value > high or (is_open and value == low)):
            bound = f"greater than {low}" if is_open else f"at least {low}"
            raise ConfigError(f"{key}={value}: must be {bound}" + (f" and at most {high}" if high < 2**40 else ""))


def _check_group(group: str, node: Mapping[str, Any]) -> None:
    """Checks the settings of one group against the signature of its `_target_`."""
    try:
        target = get_object(str(node["_target_"]))
    except Exception as error:
        raise ConfigError(f"{group}._target_={node['_target_']}: {one_line(error)}") from error
    parameters, hints, takes_any = signature(target)
    own = OWN_KEYS.get(group, {})
    hints |= own
    parameters |= dict.fromkeys(key for key in own if key in node)
    for key, value in node.items():
        if (key.startswith("_") and key.endswith("_")) or (value is None and key in FILLED_FROM_DATA):
            continue
        if key not in parameters and not takes_any:
            raise ConfigError(f"{group}.{key} is unknown to {node['_target_']}; {suggest(key, parameters)}")
        may_be_auto = f"{group}.{key}" in MAY_BE_AUTO
        if value == "auto" and may_be_auto:
            continue
        if key in hints and not accepts(hints[key], value):
            raise ConfigError(f"{group}.{key}={value}: must be {describe(hints[key])}{' or auto' * may_be_auto}")
