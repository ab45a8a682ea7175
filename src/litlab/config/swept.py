"""Checks the values of a sweep before its first job begins."""

import re
import shlex
from collections.abc import Collection
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from litlab.config.check import BOUNDS, TOP_LEVEL, TYPES, check_bound, check_group
from litlab.config.groups import check_mappings
from litlab.config.hints import accepts, describe, signature
from litlab.config.resolved import check_references
from litlab.config.targets import find
from litlab.config.unread import check_top_level
from litlab.errors import ConfigError

NEVER_AUTO = ("optimizer.", "scheduler.")  # groups in which each setting with bounds is a number


def check_swept(setting: str, usual: DictConfig, swept: Collection[str] = ()) -> None:
    """Refuses a value of a sweep that no job could train with, as far as that is known without importing torch.

    A setting that has bounds, or whose usual value is a number, takes numbers. A class may take nothing but a list.
    Each job checks its whole config again.

    Args:
        setting: as on the command line, such as `optimizer.lr=0.1`. All jobs may have it.
        usual: the config without the sweep.
        swept: the settings and the groups of which the sweep has several values.

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
    if key.partition(".")[0] in swept:
        return
    if OmegaConf.is_list(now) and (not OmegaConf.is_config(value) or _has_other_entries(value, now)):
        _check_in_place_of_a_list(shown, value, usual)
    elif type(now) is int and isinstance(value, float):
        _check_in_place_of_an_integer(key, value, usual)


def _has_other_entries(value: Any, now: Any) -> bool:
    """Whether a list has entries of other types than the usual one, which is a list of numbers."""
    of_numbers = len(now) > 0 and all(map(_is_number, now))
    return of_numbers and OmegaConf.is_list(value) and not {*map(type, value)} <= {*map(type, now)}


def _check_in_place_of_a_list(shown: str, value: Any, usual: DictConfig) -> None:
    """Refuses what a class does not take that takes a list. Such a sweep is rare, so only it imports the class."""
    key = shown.lstrip("+").partition("=")[0]
    group, _, name = key.rpartition(".")
    target = OmegaConf.select(usual, f"{group}._target_") if group else None
    try:
        hints = signature(find(str(target)))[1] if target else {}
    except Exception:  # of any kind: each job says that its class cannot be imported
        return
    is_list = OmegaConf.is_list(value)
    if name in hints and not accepts(hints[name], OmegaConf.to_object(value) if is_list else value):
        several_lists = "" if is_list else f"; several lists are written {key}=[{value}],[...]"
        raise ConfigError(f"{shown}: must be {describe(hints[name])}{several_lists}")


def _check_in_place_of_an_integer(key: str, value: float, usual: DictConfig) -> None:
    """Refuses a decimal number where a class takes whole numbers only. Such a sweep is rare, too."""
    group, _, name = key.rpartition(".")
    node: Any = OmegaConf.select(usual, group) if group else None
    if not OmegaConf.is_dict(node) or "_target_" not in node:
        return
    try:
        find(str(node["_target_"]))
    except Exception:  # of any kind, as above
        return
    check_group(group, {"_target_": node["_target_"], name: value})


def check_composed(cfg: DictConfig) -> None:
    """Refuses the config of a job with a setting that nothing reads, refers to none, or needs another one beside it.

    Raises:
        ConfigError: naming the setting.
    """
    plain: Any = OmegaConf.to_container(cfg, resolve=False)
    check_references(cfg)
    check_top_level(cfg, plain, {*TOP_LEVEL, "hydra"})
    check_mappings(plain, OmegaConf.select(cfg, "hydra.runtime.choices") or {})
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
