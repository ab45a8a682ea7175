"""Checks the values of a sweep before its first job begins."""

import re
import shlex

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from litlab.config.check import BOUNDS, TYPES, check_bound
from litlab.config.hints import accepts, describe
from litlab.errors import ConfigError

NEVER_AUTO = ("optimizer.", "scheduler.")  # groups in which each setting with bounds is a number


def check_swept(setting: str, usual: DictConfig) -> None:
    """Refuses a value of a sweep that no job could train with, as far as that is known without importing torch.

    A setting that has bounds, or whose usual value is a number, takes numbers. Each job checks its whole config again.

    Args:
        setting: as on the command line, such as `optimizer.lr=0.1`. All jobs may have it.
        usual: the config without the sweep.

    Raises:
        ConfigError: naming the setting.
    """
    key, _, text = setting.lstrip("+").partition("=")
    shown = re.sub(r"\\(.)", r"\1", setting)  # as typed: Hydra has put a backslash before a colon
    if text == "null" or "${" in text or (text == "auto" and not key.startswith(NEVER_AUTO)):
        return
    try:
        value = OmegaConf.from_dotlist([f"value={text}"]).value
        now = OmegaConf.select(usual, key)
    except (OmegaConfBaseException, ValueError, yaml.YAMLError):  # found when the job is composed
        return
    if key in TYPES:
        if not accepts(TYPES[key], OmegaConf.to_object(value) if OmegaConf.is_config(value) else value):
            raise ConfigError(f"{shown}: must be {describe(TYPES[key])}{several(key, text)}")
    elif not _is_number(value) and (key in BOUNDS or (_is_number(now) and isinstance(value, str | bool))):
        raise ConfigError(f"{shown}: must be a number{several(key, text)}")
    if _is_number(value) and key in BOUNDS:
        check_bound(key, value)


def check_composed(cfg: DictConfig) -> None:
    """Refuses the config of a job whose settings need another one beside them.

    Raises:
        ConfigError: naming both settings.
    """
    if OmegaConf.select(cfg, "data.fold") is not None and OmegaConf.select(cfg, "data.folds") is None:
        raise ConfigError("data.fold needs data.folds: write data.folds=5 beside it")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


NUMBER = r"[-+]?\d*\.?\d+(?:e[-+]?\d+)?"


def several(key: str, text: str) -> str:
    """How to write a list of values or a range, which the text may be meant to be; empty if it is neither."""
    if text.startswith("["):
        return f"; several values are written {key}={text.strip('[]')}"
    match = re.fullmatch(rf"({NUMBER})(?:\\?:|\.\.|-)({NUMBER})", text, re.IGNORECASE)
    if not match:
        return ""
    low, high = match[1], match[2]
    whole = low.isdecimal() and high.isdecimal()
    between = f"{key}=range({low},{int(high) + 1})" if whole else f"{key}=interval({low},{high})"
    all_between = f"the numbers between {shlex.quote(between)}"
    needs = "" if whole else " with hydra/sweeper=optuna"
    return f"; these two are written {key}={low},{high}, {all_between}{needs}"
