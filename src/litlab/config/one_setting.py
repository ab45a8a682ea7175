"""Checks one setting of a composed config, before litlab proposes it."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from litlab.config.check import check_bounds, check_group, check_types
from litlab.config.unread import SWITCHES
from litlab.errors import ConfigError


def check_one(cfg: DictConfig, key: str) -> None:
    """Refuses one value as `check` refuses it: by its type and its bounds. Other settings may be wrong or missing.

    Args:
        cfg: a config that has the setting.
        key: such as `data.val_size`.

    Raises:
        ConfigError: saying what the value must be.
    """
    value = OmegaConf.select(cfg, key)
    plain = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    nested: Any = plain
    for part in reversed(key.split(".")):
        nested = {part: nested}
    alone = OmegaConf.create(nested)
    check_types(alone)
    check_bounds(alone)
    parent, _, name = key.rpartition(".")
    if name in SWITCHES and not isinstance(plain, bool):
        raise ConfigError(f"{key}={plain}: must be true or false")
    node: Any = OmegaConf.select(cfg, parent) if parent else None
    if isinstance(node, Mapping | DictConfig) and "_target_" in node and name not in SWITCHES:
        check_group(parent, {"_target_": node["_target_"], name: plain})
