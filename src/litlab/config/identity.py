"""What identifies a run: the settings that can change its numbers."""

import math
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from litlab.config.check import MAY_BE_AUTO, UNGROUPED
from litlab.config.groups import GROUPS
from litlab.config.leaves import leaves
from litlab.config.objective import directions
from litlab.config.targets import find

# Where a run is trained, which does not change its numbers.
PLACES = {
    "data.num_workers",
    "data.pin_memory",
    "data.device",
    "data.cache",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
}

# Settings that `model.pretrained=true` fills in where they have one of these values. A run records what it filled in:
# see litlab.training.weights.
FILLED_FROM_WEIGHTS: dict[str, tuple[Any, ...]] = {
    "model.variant": ("auto",),
    "model.transform_input": (False,),
    "data.image_size": (None,),
    "data.resize": (None,),
    "data.interpolation": (None,),
    "data.normalize": (None, True),
}


def numeric(cfg: DictConfig) -> dict[str, Any]:
    """The settings that can change the numbers of a run, as a flat mapping such as `{"optimizer.lr": 0.01}`.

    Raises:
        ConfigError: if `objective_mode` is wrong.
    """
    composed: Any = OmegaConf.to_container(cfg, resolve=True)
    flat: dict[str, Any] = {}
    for name in (*GROUPS, "metrics", "seed", "objective", "top5", "ema", "swa", "on_nan", "test"):
        if composed.get(name) or name not in (
            "mix",
            "task",
            "metrics",
            "swa",
        ):  # not recorded by runs from before them
            flat |= _flat(name, composed.get(name))
    for key, value in UNGROUPED.items():  # runs from before these settings have not recorded them
        if flat.get(f"optimizer.{key}") == value:
            del flat[f"optimizer.{key}"]
    if flat.get("model.unfreeze_at", ...) is None:  # likewise
        del flat["model.unfreeze_at"]
    modes: dict[str, Any] = {**directions(composed)}
    stopping_mode = modes.pop("callbacks.early_stopping.mode", None)
    flat |= modes
    stopping = (composed.get("callbacks") or {}).get("early_stopping") or {"enabled": False}
    flat["callbacks.early_stopping.enabled"] = stopping.get("enabled", True)
    if flat["callbacks.early_stopping.enabled"]:
        mode = {"mode": stopping_mode} if stopping_mode else {}
        flat |= _flat("callbacks.early_stopping", stopping | mode)
    places = PLACES | ({"data.data_dir"} if _data_dir_is_cache(flat.get("data._target_")) else set())
    return {key: value for key, value in flat.items() if key not in places}


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """`seed=1, which is now 2`: the first setting of a run that has another value now; None if there is none.

    Args:
        before: as the run has recorded them, likewise from `numeric`.
        now: as `numeric` returns them.
    """
    for key in {**now, **before}:
        if before.get(key) != now.get(key) and not is_left_open(now, key):
            return f"{key}={before.get(key)}, which is now {now.get(key)}"
    return None


def is_left_open(settings: Mapping[str, Any], key: str) -> bool:
    """Whether these settings leave it to litlab to choose a value for `key`. A run then records what was chosen.

    Args:
        settings: as `numeric` returns them.
        key: such as `data.batch_size`.
    """
    if key in MAY_BE_AUTO:
        return bool(settings.get(key) == "auto")
    name = ".".join(key.split(".")[:2])  # once it is filled in, data.normalize is a mapping with keys of its own
    if name == "loss.class_weights" and settings.get(name) == "balanced":
        return True
    return bool(settings.get("model.pretrained")) and settings.get(name, ...) in FILLED_FROM_WEIGHTS.get(name, ())


def filled_then(cfg: DictConfig, before: DictConfig) -> dict[str, Any]:
    """The values that published weights filled in when the run began, for the keys that `cfg` leaves open.

    Args:
        cfg: the config as it is composed now.
        before: the config that the run has recorded.
    """
    settings = numeric(cfg)
    found = {key: OmegaConf.select(before, key) for key in FILLED_FROM_WEIGHTS if is_left_open(settings, key)}
    return {key: value for key, value in found.items() if value is not None}


def first_change(before: DictConfig, now: DictConfig, names: tuple[str, ...]) -> str | None:
    """The first setting that has another value than before, such as `optimizer.lr=0.5`; None if there is none.

    Args:
        names: how the settings begin that are compared.
    """
    was = numeric(before)
    changes = (f"{k}={v}" for k, v in numeric(now).items() if k.startswith(names) and was.get(k, v) != v)
    return next(changes, None)


def _flat(name: str, node: Any) -> dict[str, Any]:
    """The values below `name`. Infinity and NaN become text, since JSON has neither."""
    return {
        ".".join((name, *path)): str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for path, value in leaves(node).items()
    }


def _data_dir_is_cache(data: Any) -> bool:
    """Whether a data set is the same in whatever folder it is. `data` is the name of its class."""
    try:
        return bool(getattr(find(str(data)), "data_dir_is_cache", False))
    except Exception:  # there is no such class: `check` tells the user
        return False
