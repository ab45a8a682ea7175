"""Builds what a group of the config describes. An error of its constructor names the key at fault."""

from collections.abc import Mapping
from typing import Any

from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf

from litlab.config.check import STARTING
from litlab.errors import ConfigError, one_line

Chosen = Mapping[str, str]  # the option that was chosen of each group, such as {"data": "mnist"}; for messages


def build(cfg: Mapping[str, Any], group: str, chosen: Chosen | None = None, **arguments: Any) -> Any:
    """Instantiates what one group describes; None where it describes nothing.

    Args:
        cfg: a config, or plain data.
        group: such as `data`.
        chosen: the option that was chosen of each group.
        arguments: of the constructor, beside those of the group.

    Raises:
        ConfigError: if the constructor refuses the values.
    """
    node: Any = cfg[group]
    node = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else dict(node)
    if "_target_" not in node:  # scheduler=none, beside an experiment that has settings for a schedule
        return None
    if group == "model":
        node = {key: value for key, value in node.items() if key not in STARTING}
    try:
        return instantiate(node, _convert_="all", **arguments)
    except Exception as error:
        raise blame(cfg, group, error.__cause__ or error, chosen) from error


def blame(cfg: Mapping[str, Any], group: str, error: BaseException, chosen: Chosen | None = None) -> ConfigError:
    """The error of a constructor or a method of `group`, in terms of config keys."""
    message = one_line(error)
    if message.split("=")[0].split(" ")[0] in cfg[group]:
        return ConfigError(f"{group}.{message}")
    return ConfigError(f"{option(group, chosen)}: {message}")


def option(group: str, chosen: Chosen | None) -> str:
    """`data=mnist`, or `data` where the chosen option is not known."""
    return f"{group}={chosen[group]}" if chosen and group in chosen else group


def class_of(cfg: Mapping[str, Any], group: str) -> Any:
    """The class, or function, that a group names, not called yet."""
    return get_object(str(cfg[group]["_target_"]))
