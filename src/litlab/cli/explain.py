"""An error of Hydra's in one line that names the key and the valid choices."""

import re
import sys
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from litlab.config import suggest
from litlab.errors import one_line
from litlab.sweeps import EXTRAS, needs_extra


def explain(error: Exception, conf: Path, config_name: str) -> str:
    """An error of composition in one line that names the key and the valid choices."""
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
        return _explain_unknown_key(key, conf, config_name)
    if match := re.search(r"Could not find '([^']+)'", text):
        return _explain_unknown_key(match[1], conf, config_name)
    return one_line(error).rstrip(".") + (f" ({one_line(error.__cause__)})" if error.__cause__ else "")


def _explain_unknown_key(key: str, conf: Path, config_name: str) -> str:
    """Names what could have been meant by `key`, from the config as it is without the bad override."""
    overrides = [arg for arg in sys.argv[1:] if re.match(r"[\w@/.]+=", arg) and arg.split("=")[0] != key]
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(conf), version_base="1.3"):
            cfg = hydra.compose(config_name, [o for o in overrides if not o.startswith("hydra")])
    except Exception:  # a second mistake beside this one: its own turn comes
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
