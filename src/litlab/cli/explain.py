"""Puts an error of Hydra into one line that names the key and the valid choices."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from litlab.config import suggest
from litlab.errors import one_line
from litlab.sweeps import EXTRAS, needs_extra


def explain(error: Exception, arguments: Sequence[str], conf: Path, config_name: str) -> str:
    """An error of composing a config, in one line that names the key and the valid choices.

    Args:
        error: of Hydra or OmegaConf.
        arguments: the command line.
        conf: the folder of configs.
        config_name: such as `train`.
    """
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        if group == "hydra/launcher" and option in EXTRAS:
            return needs_extra(option)
        if group:
            return f"{group}={option}: no such option; {suggest(option, error.options)}"
    if isinstance(error, OverrideParseException):
        return f"{error.override}: {one_line(error)}"
    text = str(error)
    if match := re.search(r"Could not override '([^']+)'", text):
        key = match[1]
        if error.__cause__ is not None and "could not be converted" in str(error.__cause__):
            return f"{key}: {one_line(error.__cause__)}"
        return _explain_unknown_key(key, arguments, conf, config_name)
    if match := re.search(r"Could not (?:find|delete from config\.) '([^']+)'", text):
        return _explain_unknown_key(match[1], arguments, conf, config_name)
    return one_line(error).rstrip(".") + (f" ({one_line(error.__cause__)})" if error.__cause__ else "")


def _explain_unknown_key(key: str, arguments: Sequence[str], conf: Path, config_name: str) -> str:
    """Says which keys there are in place of `key`. They are those of the config without the wrong override."""
    cfg = _without(key, arguments, conf, config_name)
    if cfg is None:
        return f"{key} is unknown"
    path, known = "", cfg
    for part in key.replace("/", ".").split("."):
        if not isinstance(known, DictConfig):
            return f"{path} has no keys of its own: {key} is unknown"
        if part not in known:
            close = suggest(part, [str(k) for k in known])
            return f"{key} is unknown; {path or 'the config'}: {close}"
        path, known = f"{path}.{part}".lstrip("."), OmegaConf.select(known, part)
    return f"{key} is unknown"


def _without(key: str, arguments: Sequence[str], conf: Path, config_name: str) -> DictConfig | None:
    """The config of this command line without the override of `key`.

    The other overrides may be wrong too, or be those of a sweep. Then it is the config without any.
    """
    overrides = [arg for arg in arguments if re.match(r"[\w@/.]+=", arg) and arg.split("=")[0] != key]
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        for some in ([o for o in overrides if not o.startswith("hydra")], []):
            with contextlib.suppress(Exception):
                return hydra.compose(config_name, some)
    return None
