"""What identifies a run: the settings that can change its numbers."""

import math
from collections.abc import Mapping
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from litlab.config.check import AUTO, GROUPS
from litlab.config.objective import objective_mode

# What `model.pretrained=true` fills in where it is left open, and so is recorded: see litlab.training.weights.
FILLED_FROM_WEIGHTS: dict[str, tuple[Any, ...]] = {
    "model.variant": ("auto",),
    "model.transform_input": (False,),
    "data.image_size": (None,),
    "data.resize": (None,),
    "data.normalize": (None, True),
}


def numeric(cfg: DictConfig) -> dict[str, Any]:
    """Every setting that can change the numbers of a run, and what is kept of them, as flat keys.

    Raises:
        ConfigError: if `objective_mode` is none.
    """
    flat: dict[str, Any] = {}

    def walk(node: Any, key: str) -> None:
        if isinstance(node, dict) and node:
            for name, value in node.items():
                walk(value, f"{key}.{name}")
        else:
            flat[key] = str(node) if isinstance(node, float) and not math.isfinite(node) else node  # as JSON has none

    composed: Any = OmegaConf.to_container(cfg, resolve=True)
    for name in (*GROUPS, "seed", "objective", "top5", "on_nan", "test"):
        walk(composed.get(name), name)
    flat["objective_mode"] = objective_mode(cfg)
    stopping = (composed.get("callbacks") or {}).get("early_stopping") or {"enabled": False}
    flat["callbacks.early_stopping.enabled"] = stopping.get("enabled", True)
    if flat["callbacks.early_stopping.enabled"]:
        walk(stopping | {"mode": stopping.get("mode") or flat["objective_mode"]}, "callbacks.early_stopping")
    places = {"data.num_workers", "data.pin_memory", "data.device"}
    places |= {"trainer.accelerator", "trainer.devices", "trainer.num_nodes"}
    if _data_dir_is_cache(flat.get("data._target_")):
        places.add("data.data_dir")
    return {key: value for key, value in flat.items() if key not in places}


def is_left_open(settings: Mapping[str, Any], key: str) -> bool:
    """Whether `numeric` settings leave it to litlab what `key` is: what a run records then is what it has become."""
    if key in AUTO:
        return bool(settings.get(key) == "auto")
    name = ".".join(key.split(".")[:2])  # normalize is a mapping once it is filled in
    return bool(settings.get("model.pretrained")) and settings.get(name, ...) in FILLED_FROM_WEIGHTS.get(name, ())


def filled_then(cfg: DictConfig, before: DictConfig) -> dict[str, Any]:
    """What published weights had filled in when the run began, of the keys that `cfg` leaves open now."""
    settings = numeric(cfg)
    found = {key: OmegaConf.select(before, key) for key in FILLED_FROM_WEIGHTS if is_left_open(settings, key)}
    return {key: value for key, value in found.items() if value is not None}


def _data_dir_is_cache(data: Any) -> bool:
    """Whether a data set is the same wherever its `data_dir` is."""
    try:
        return bool(getattr(get_object(str(data)), "data_dir_is_cache", False))
    except Exception:  # no class at all, which `check` says
        return False
