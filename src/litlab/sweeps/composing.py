"""Composes the config of each job of a sweep, and the parts that the jobs have in common only once.

Hydra reads all files of a config anew for each job. Jobs that choose the same options differ in single values only.
Here Hydra composes the first of them. The others get a copy of its config, with their own values in it. That takes a
twentieth of the time.
"""

from __future__ import annotations

import contextlib
import copy
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from litlab.config import changed

COMPOSITION = (HydraException, OmegaConfBaseException)  # raised when settings do not go together
KEPT = 32  # configs; each takes some hundred kilobytes

_configs: dict[tuple[Any, ...], DictConfig] = {}  # of this process: joblib's processes get a new loader for each job
_groups: dict[tuple[str, str], bool] = {}


class JobNotComposed(HydraException):
    """The config of a job that cannot be composed. Its cause says why.

    Args:
        error: the cause.
        overrides: of the job.
        options: those of them that choose an option which other jobs have not, such as `loss=nll`.
    """

    def __init__(self, error: Exception, overrides: Sequence[str], options: Sequence[str]) -> None:
        super().__init__(str(error))
        self.overrides, self.options = list(overrides), list(options)


class SweepConfigLoader:
    """Hydra's config loader, of which `load_sweep_config` is faster. Its configs are the same.

    Args:
        loader: Hydra's own.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        self.loader, self.sweep = loader, uuid.uuid4().hex

    def __getattr__(self, name: str) -> Any:
        if name == "loader":  # before a copy in another process has it
            raise AttributeError(name)
        return getattr(self.loader, name)

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """The config of a job.

        Args:
            master_config: that of the sweep.
            sweep_overrides: of the job.
        """
        overrides = OverridesParser.create().parse_overrides(sweep_overrides)
        values = {o.key_or_group: o for o in overrides if self._is_value(o)}
        others = tuple(o.input_line for o in overrides if o.key_or_group not in values)
        kind = (self.sweep, Path.cwd(), *_of_sweep(master_config), None, *others, None, *values)
        if (known := _configs.get(kind)) is not None:
            with contextlib.suppress(Exception):  # Hydra then says what is wrong
                return _with_values(known, master_config, overrides, values)
        config = self.loader.load_sweep_config(master_config, sweep_overrides)
        if len(_configs) >= KEPT:
            _configs.clear()
        _configs[kind] = copy.deepcopy(config)
        return config

    def _is_value(self, override: Override) -> bool:
        """Whether an override gives a single value to a setting that there is, and chooses no option of a group."""
        key = override.key_or_group
        if override.package is not None or override.type is not OverrideType.CHANGE or "/" in key:
            return False
        if key.startswith("hydra.") and key != "hydra.sweep.subdir":
            return False
        return not isinstance(override.value(), dict | list) and not self._is_group(key)

    def _is_group(self, key: str) -> bool:
        if (self.sweep, key) not in _groups:
            _groups[self.sweep, key] = bool(self.loader.get_group_options(key))
        return _groups[self.sweep, key]


def _with_values(
    config: DictConfig, master_config: DictConfig, overrides: Sequence[Override], values: dict[str, Override]
) -> DictConfig:
    """The config of a job, made from that of another one in the way of Hydra's own config loader."""
    config = changed(config, {key: override.value() for key, override in values.items()})
    hydra = config.hydra
    of_hydra = [o.input_line for o in overrides if o.is_hydra_override()]
    of_task = [o for o in overrides if not o.is_hydra_override()]
    hydra.overrides.hydra = [*_of_sweep(master_config), *of_hydra]
    hydra.overrides.task = [o.input_line for o in of_task]
    naming = hydra.job.config.override_dirname
    named = sorted(str(o.input_line) for o in of_task if o.key_or_group not in naming.exclude_keys)
    hydra.job.override_dirname = naming.item_sep.join(named).replace("=", naming.kv_sep)
    OmegaConf.copy_cache(from_config=master_config, to_config=config)
    return config


def _of_sweep(master_config: DictConfig) -> list[Any]:
    """The overrides for Hydra that a sweep gives to each of its jobs, as they are written."""
    written: Any = OmegaConf.to_container(master_config.hydra.overrides.hydra, resolve=False)
    return written
