"""From a composed config to objects, with errors that name the key at fault and say what to write instead."""

import difflib
import inspect
import math
import os
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union

from hydra.types import RunMode
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from litlab.console import one_line

# Where a run folder keeps what was asked for, and what came of it.
CONFIG = ".hydra/config.yaml"
OVERRIDES = ".hydra/overrides.yaml"
RESULT = "result.json"

IN_SWEEP = "LITLAB_IN_SWEEP"  # in the environment of processes that litlab starts

GROUPS = ("data", "model", "loss", "optimizer", "scheduler", "trainer")

FILLED_FROM_DATA = ("input_shape", "num_classes")  # null in a config until the data set is known

# Of a model, but not of its constructor: see litlab.weights.
STARTING: dict[str, Any] = {"pretrained": bool, "weights": str | None, "weights_skip_head": bool, "compile": bool}

# Of the settings that are in no group.
TYPES: dict[str, Any] = {
    "seed": int,
    "objective": str,
    "top5": bool,
    "summary": bool,
    "test": bool,
    "threads": int | None,
    "checkpoint.every_n_steps": int | None,
    "checkpoint.every_minutes": float | None,
    "rewinds": int,
    "rewound_to": int | None,
    "preempt_grace_s": float,
}

# Bounds that other libraries leave unchecked, or check in words that do not name the key: (lowest, highest, open?).
BOUNDS: dict[str, tuple[float, float, bool]] = {
    "optimizer.lr": (0, float("inf"), True),
    "optimizer.weight_decay": (0, float("inf"), False),
    "optimizer.momentum": (0, 1, False),
    "trainer.max_epochs": (1, float("inf"), False),
    "trainer.accumulate_grad_batches": (1, float("inf"), False),
    "trainer.log_every_n_steps": (1, float("inf"), False),
    "seed": (0, 2**32 - 1, False),
    "threads": (1, float("inf"), False),
    "checkpoint.every_n_steps": (1, float("inf"), False),
    "checkpoint.every_minutes": (0, float("inf"), True),
    "rewinds": (0, 3, False),
    "preempt_grace_s": (3, float("inf"), False),
}


# Settings that may be left to litlab, beside what the constructor takes.
AUTO = ("trainer.precision", "data.batch_size")

# What `model.pretrained=true` fills in where it is left open, and so is recorded: see litlab.weights.
FILLED_FROM_WEIGHTS: dict[str, tuple[Any, ...]] = {
    "model.variant": ("auto",),
    "model.transform_input": (False,),
    "data.image_size": (None,),
    "data.resize": (None,),
    "data.normalize": (None, True),
}


class ConfigError(ValueError):
    """A wrong setting. The message is one line that names the key and says what to change."""


def check(cfg: DictConfig) -> None:
    """Checks every group's keys and values against the signature of what it builds, before anything is built.

    Raises:
        ConfigError: at the first key that is missing, unknown, of the wrong type or out of bounds.
    """
    try:
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise ConfigError(f"{error.full_key} is missing: write {error.full_key}=...") from error
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(error)) from error
    assert isinstance(plain, dict)
    for key, hint in TYPES.items():
        value = OmegaConf.select(cfg, key, default=...)
        if value is not ... and not _accepts(hint, value):  # a recorded config may be older than a setting
            raise ConfigError(f"{key}={value}: must be {_describe(hint)}")
    if plain.get("on_nan", "stop") not in ("stop", "rewind"):
        raise ConfigError(f"on_nan={plain['on_nan']}: must be stop or rewind")
    for group in GROUPS:
        if group != "scheduler" and not plain.get(group):
            raise ConfigError(f"{group} is missing: write {group}=...")
        if plain.get(group) and "_target_" in plain[group]:
            _check_group(group, plain[group])
    for key, (low, high, is_open) in BOUNDS.items():
        value = OmegaConf.select(cfg, key)
        if isinstance(value, int | float) and (value < low or value > high or (is_open and value == low)):
            bound = f"greater than {low}" if is_open else f"at least {low}"
            raise ConfigError(f"{key}={value}: must be {bound}" + (f" and at most {high}" if high < 2**40 else ""))


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
    places = {"data.num_workers", "data.pin_memory"}
    places |= {"trainer.accelerator", "trainer.devices", "trainer.num_nodes"}
    if _has_cache(flat.get("data._target_")):
        places.add("data.data_dir")
    return {key: value for key, value in flat.items() if key not in places}


def is_left_open(settings: Mapping[str, Any], key: str) -> bool:
    """Whether `numeric` settings leave it to litlab what `key` is: what a run records then is what it has become."""
    if key in AUTO:
        return bool(settings.get(key) == "auto")
    name = ".".join(key.split(".")[:2])  # normalize is a mapping once it is filled in
    return bool(settings.get("model.pretrained")) and settings.get(name, ...) in FILLED_FROM_WEIGHTS.get(name, ())


def settle(cfg: DictConfig, before: DictConfig) -> None:
    """Gives a config that goes on with a run what published weights had filled in then, and it leaves open now."""
    settings = numeric(cfg)
    for key in FILLED_FROM_WEIGHTS:
        if is_left_open(settings, key) and (value := OmegaConf.select(before, key)) is not None:
            OmegaConf.update(cfg, key, value, merge=False)


def _has_cache(data: Any) -> bool:
    """Whether a data set is the same wherever its `data_dir` is."""
    from litlab.data import ImageDataModule

    try:
        return issubclass(get_object(str(data)), ImageDataModule)
    except Exception:  # no class at all, which `check` says
        return False


def build(cfg: DictConfig, group: str, **arguments: Any) -> Any:
    """Instantiates one group; `None` where the group names nothing to build.

    Raises:
        ConfigError: if its constructor refuses the values.
    """
    node = OmegaConf.to_container(cfg[group], resolve=True)
    assert isinstance(node, dict)
    if "_target_" not in node:  # scheduler=none beside an experiment that has settings for its own leaves just those
        return None
    if group == "model":
        node = {key: value for key, value in node.items() if key not in STARTING}
    try:
        return instantiate(node, _convert_="all", **arguments)
    except Exception as error:
        raise blame(cfg, group, error.__cause__ or error) from error


def blame(cfg: DictConfig, group: str, error: BaseException) -> ConfigError:
    """The error of a constructor or a method of `group`, in terms of config keys."""
    message = one_line(error)
    if message.split("=")[0].split(" ")[0] in cfg[group]:
        return ConfigError(f"{group}.{message}")
    return ConfigError(f"{group}={choice(group)}: {message}")


def objective_mode(cfg: DictConfig) -> Any:
    """`min` or `max`: as configured, else by the objective's name.

    Raises:
        ConfigError: if it is neither.
    """
    if cfg.objective_mode not in (None, "min", "max"):
        raise ConfigError(f"objective_mode={cfg.objective_mode}: must be min, max or null")
    falls = ("loss", "mae", "mse", "error")
    return cfg.objective_mode or ("min" if str(cfg.objective).rpartition("/")[2] in falls else "max")


def choice(group: str) -> str:
    """The option of `group` that was composed, as far as Hydra knows."""
    from hydra.core.hydra_config import HydraConfig

    return HydraConfig.get().runtime.choices.get(group, "?") if HydraConfig.initialized() else "?"


def in_sweep() -> bool:
    """Whether this process runs a job of a sweep."""
    from hydra.core.hydra_config import HydraConfig

    if IN_SWEEP in os.environ:  # one of the processes of a job, which do not compose a config
        return os.environ[IN_SWEEP] == "1"
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def suggest(name: str, known: Collection[str]) -> str:
    """`did you mean ...?`, if something known is close, and what is known."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    listed = ", ".join(sorted(name for name in known if not name.startswith("_")))
    return (f"did you mean {close[0]}? " if close else "") + f"there is: {listed}"


def _check_group(group: str, node: Mapping[str, Any]) -> None:
    try:
        target = get_object(str(node["_target_"]))
    except Exception as error:
        raise ConfigError(f"{group}._target_={node['_target_']}: {one_line(error)}") from error
    parameters, hints, takes_any = _signature(target)
    if group == "model":
        hints |= STARTING
        parameters |= dict.fromkeys(key for key in STARTING if key in node)
    for key, value in node.items():
        if (key.startswith("_") and key.endswith("_")) or (value is None and key in FILLED_FROM_DATA):
            continue
        if key not in parameters and not takes_any:
            raise ConfigError(f"{group}.{key} is unknown to {node['_target_']}; {suggest(key, parameters)}")
        if value == "auto" and f"{group}.{key}" in AUTO:
            continue
        if key in hints and not _accepts(hints[key], value):
            choices = _describe(hints[key]) + (" or auto" if f"{group}.{key}" in AUTO else "")
            raise ConfigError(f"{group}.{key}={value}: must be {choices}")


def _signature(target: Callable) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """Parameters and type hints by name, and whether there may be others.

    A constructor that takes `**arguments` passes them on to that of its base class, so that one's count too.
    """
    functions: list[Callable] = [target]
    if inspect.isclass(target):
        functions = [vars(cls)["__init__"] for cls in target.__mro__ if cls is not object and "__init__" in vars(cls)]
    parameters: dict[str, Any] = {}
    hints: dict[str, Any] = {}
    for function in functions:
        found = inspect.signature(function).parameters
        named = {name: p for name, p in found.items() if p.kind is not p.VAR_KEYWORD and name != "self"}
        parameters, hints = named | parameters, _type_hints(function) | hints
        if len(named) + ("self" in found) == len(found):
            return parameters, hints, False
    return parameters, hints, True


def _type_hints(function: Callable) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a third party's hints may name what is only imported for type checkers
        return {}


def _accepts(hint: Any, value: Any) -> bool:
    """Whether a plain value can be passed where `hint` is asked for; anything not understood passes."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_accepts(argument, value) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if hint is type(None):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is str:
        return isinstance(value, str)
    if hint is Path:
        return isinstance(value, str)
    if origin in (list, Sequence, tuple):
        if not isinstance(value, list):
            return False
        items = arguments[:1] if origin is not tuple or arguments[1:] == (...,) else ()
        return all(_accepts(item, element) for item in items for element in value)
    if origin in (dict, Mapping) or hint in (dict, Mapping):
        return isinstance(value, dict)
    # A class that YAML cannot write: only something `_target_` builds would do, or another branch of a union.
    return isinstance(value, dict) if inspect.isclass(hint) and hint.__module__ != "builtins" else True


def _describe(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_describe(a) for a in arguments if _is_plain(a)))
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (list, Sequence, tuple):
        return "a list"
    names = {int: "an integer", float: "a number", str: "text", bool: "true or false", type(None): "null"}
    return names.get(hint, "a mapping" if origin in (dict, Mapping) else getattr(hint, "__name__", str(hint)))


def _is_plain(hint: Any) -> bool:
    return typing.get_origin(hint) is not None or hint in (int, float, str, bool, type(None))
