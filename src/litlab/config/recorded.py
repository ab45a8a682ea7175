"""The config in a run folder: it is read, overrides are applied to it, and it is written back."""

import contextlib
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hydra
import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf

from litlab.config.leaves import leaves
from litlab.errors import ConfigError, one_line
from litlab.files import atomic, shown
from litlab.runs import CONFIG, OVERRIDES, best_or_last

Leaves = Mapping[tuple[str, ...], Any]  # the values of a config, by their keys


PARTS = ("data", "model", "optimizer", "trainer", "seed")  # that every config has; the last one stands near its end


def read_recorded(folder: Path) -> tuple[DictConfig, list[str]]:
    """The config of a run folder, and the overrides of the command lines that led to it.

    Raises:
        ConfigError: if one of the two files is damaged.
    """
    recorded = _load(folder, CONFIG)
    missing = [part for part in PARTS if not isinstance(recorded, DictConfig) or part not in recorded]
    if missing or not isinstance(recorded, DictConfig):
        raise _damaged(folder, CONFIG, f": {missing[0]} is missing")
    return recorded, read_overrides(folder)


def read_overrides(folder: Path) -> list[str]:
    """The overrides that a run folder records.

    Raises:
        ConfigError: if their file is damaged.
    """
    recorded = _load(folder, OVERRIDES)
    if recorded and not isinstance(recorded, ListConfig):
        raise _damaged(folder, OVERRIDES, ": it is no list")
    return [str(override) for override in recorded]


def _load(folder: Path, name: str) -> DictConfig | ListConfig:
    try:
        return OmegaConf.load(folder / name)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _damaged(folder, name, f"{line}: {error.problem}") from error
    except FileNotFoundError as error:
        raise _damaged(folder, name, ": no such file") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _damaged(folder, name, f": {one_line(error)}") from error


def _damaged(folder: Path, name: str, problem: str) -> ConfigError:
    """The error of a file that a run cannot go on without."""
    checkpoint = best_or_last(folder)
    weights = f" with {shlex.quote(f'model.weights={shown(checkpoint)}')}" if checkpoint else ""
    return ConfigError(f"{shown(folder / name)}{problem}; repair the file, or begin a new run{weights}")


def typed_overrides(hydra: Any, kind: str = "task") -> list[str]:
    """The overrides of a command line as they are written. `${hydra.job.num}` in them may not be known yet.

    Args:
        hydra: Hydra's part of the config.
        kind: `task`, or `hydra` for those of Hydra itself.
    """
    written: Any = OmegaConf.to_container(hydra.overrides, resolve=False)
    return list(map(str, written[kind]))


def compose_again(folder: Path, overrides: list[str], conf: Path, config_name: str) -> tuple[DictConfig, list[str]]:
    """The recorded config with `overrides` applied, and all overrides of the run so far.

    Overrides change only the keys that they name. All other keys stay as recorded, whatever `conf/` says today.

    Args:
        folder: the run folder.
        overrides: of the command line that resumes the run.
        conf: the folder of configs.
        config_name: such as `train`.

    Raises:
        ConfigError: if an override is wrong.
    """
    recorded, earlier = read_recorded(folder)
    if not overrides:
        return recorded, earlier
    if any(override.lstrip("+~").startswith("hydra") for override in overrides):
        raise ConfigError("resume= goes on in the run's own folder: leave out hydra.* overrides")
    together = combine(earlier, overrides)
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        composed = [hydra.compose(config_name, list_) for list_ in (earlier, together)]
    before, after = (leaves(OmegaConf.to_container(cfg, resolve=False)) for cfg in composed)
    _remove_missing(recorded, before, after)
    for key, value in after.items():
        if key not in before or before[key] != value:
            OmegaConf.update(recorded, ".".join(key), value, force_add=True, merge=False)
    if any(_key(override) == "optimizer.lr" for override in overrides):
        for counted in ("rewinds", "rewound_to"):  # the new learning rate is not halved by earlier rewinds
            recorded.pop(counted, None)
    return recorded, together


# What an option of `trainer` is chosen for. With `trainer=cpu`, the `trainer.devices=4` of an earlier start is gone.
OF_TRAINER = ("trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy")


def combine(earlier: list[str], later: list[str]) -> list[str]:
    """Both lists of overrides, without those of `earlier` that `later` replaces."""
    replaced = {_key(override) for override in later}
    replaced.update(OF_TRAINER if "trainer" in replaced else ())
    return [override for override in earlier if _key(override) not in replaced] + later


def record(folder: Path, cfg: DictConfig, overrides: list[str]) -> Callable[[], None]:
    """Writes a config and its overrides into a run folder; returns a function that puts the old files back.

    Raises:
        ConfigError: if the files cannot be written.
    """
    before = {name: (folder / name).read_bytes() for name in (CONFIG, OVERRIDES)}

    def put(contents: dict[str, bytes]) -> None:
        for name, content in contents.items():
            with atomic(folder / name) as temporary:
                temporary.write_bytes(content)

    now: dict[str, Any] = {CONFIG: cfg, OVERRIDES: OmegaConf.create(overrides)}
    try:
        put({name: OmegaConf.to_yaml(content).encode() for name, content in now.items()})
    except OSError as error:
        with contextlib.suppress(OSError):
            put(before)
        raise ConfigError(f"{folder}: cannot be written to: {error.strerror}") from error
    return lambda: put(before)


def _key(override: str) -> str:
    """`optimizer.lr` of `+optimizer.lr=0.1`, `model` of `model@net=mlp`."""
    return override.lstrip("+~").split("=")[0].split("@")[0]


def _remove_missing(recorded: DictConfig, before: Leaves, after: Leaves) -> None:
    """Removes from `recorded` the keys, or whole mappings, that are in `before` and no more in `after`."""
    kept = {key[:length] for key in after for length in range(len(key) + 1)}  # values, and the mappings around them
    for key in before:
        gone = next((key[:length] for length in range(1, len(key) + 1) if key[:length] not in kept), None)
        parent = OmegaConf.select(recorded, ".".join(gone[:-1])) if gone else None
        if gone and isinstance(parent, DictConfig):
            parent.pop(gone[-1], None)
