"""The value of a setting that a job was not given, as the folder of the job records it.

A sweep may be repeated with other settings: `optimizer.lr=0.001,0.003`, and then `seed=1,2`. The first jobs have the
default seed, the others the default learning rate.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from litlab.runs import CONFIG, HYDRA
from litlab.runs.listing import choices_in
from litlab.sweeps.overrides import RESOLVER, value_as_typed

UNKNOWN = object()
MISSING = "???"  # OmegaConf's


def in_force(job: Path, name: str, result: Mapping[str, Any]) -> str | None:
    """The value of a setting, or the option of a group, as it would be typed; None if nobody has recorded it.

    Args:
        job: the folder.
        name: such as `optimizer.lr`.
        result: of `result.json`, which is asked if the folder has no config.
    """
    options, recorded = _read(job, _changed(job / CONFIG), _changed(job / HYDRA))
    value: Any
    if name in options:
        value = options[name]
    elif recorded is None:
        value = (result.get("config") or {}).get(name, UNKNOWN)
    else:
        try:
            value = OmegaConf.select(recorded, name, default=UNKNOWN)
            value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except OmegaConfBaseException:  # known only while the job runs, such as ${hydra:job.num}
            value = UNKNOWN
    return None if value is UNKNOWN or (isinstance(value, dict) and "_target_" in value) else value_as_typed(value)


@lru_cache(maxsize=1024)  # the live table asks every two seconds
def _read(job: Path, *_: int) -> tuple[dict[str, Any], Any]:
    """The options and the config that a job has recorded. Without them, or if a file is damaged: none, and None."""
    try:
        config = OmegaConf.to_container(OmegaConf.load(job / CONFIG), resolve=False)
        return choices_in(job / HYDRA), OmegaConf.create(_without_resolvers(config))
    except Exception:
        return {}, None


def _without_resolvers(value: Any) -> Any:
    """A plain config, in which `${hydra:job.num}` and the like are missing: here they would have other values."""
    if isinstance(value, dict):
        return {key: _without_resolvers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_resolvers(item) for item in value]
    return MISSING if isinstance(value, str) and RESOLVER.search(value) else value


def _changed(file: Path) -> int:
    """When a file was changed, in nanoseconds; 0 if there is none."""
    return file.stat().st_mtime_ns if file.exists() else 0
