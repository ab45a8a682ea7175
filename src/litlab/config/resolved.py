"""A config as plain data. A value that is missing, or that refers to nothing, is named with its setting."""

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    InterpolationKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    UnsupportedInterpolationType,
)

from litlab.errors import ConfigError, one_line


def resolved(cfg: DictConfig) -> dict[Any, Any]:
    """A config as plain data, with all interpolations resolved.

    Raises:
        ConfigError: naming the setting that has no value.
    """
    try:
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise ConfigError(missing(str(error.full_key))) from error
    except OmegaConfBaseException as error:
        raise ConfigError(unresolved(error)) from error
    assert isinstance(plain, dict)
    return plain


def missing(key: str) -> str:
    """What to say of a key without a value."""
    kind = {"dir": "FOLDER", "file": "FILE"}.get(key.rpartition(".")[2].rpartition("_")[2], "...")
    return f"{key} is missing: write {key}={kind}"


def unresolved(error: OmegaConfBaseException) -> str:
    """`model.channels: ${modle.x} refers to no setting`, or what else OmegaConf says, with the setting."""
    said = one_line(error)
    if match := re.fullmatch(r"Interpolation key '(.+)' not found", said):
        of_hydra = match[1].startswith("hydra.")
        said = _of_hydra(match[1]) if of_hydra else f"${{{match[1]}}} refers to no setting"
    elif match := re.fullmatch(r"Unsupported interpolation type (.+)", said):
        variable = ", and ${oc.env:NAME} reads a variable of the environment" * (match[1] == "env")
        said = f"${{{match[1]}:...}} has a name before the colon that there is not{variable}"
    return f"{error.full_key}: {said}" if error.full_key and str(error.full_key) not in said else said


def _of_hydra(key: str) -> str:
    return f"in place of ${{{key}}} write ${{hydra:{key.partition('.')[2]}}}"


def check_references(cfg: DictConfig) -> None:
    """Refuses a value that refers to a setting which there is not, in all of a config but the part of Hydra.

    Raises:
        ConfigError: naming the setting with that value.
    """
    for key in cfg:
        try:
            if key != "hydra" and not OmegaConf.is_missing(cfg, key) and OmegaConf.is_config(node := cfg[key]):
                OmegaConf.to_container(node, resolve=True)
        except InterpolationToMissingValueError as error:
            if match := re.search(r"Missing mandatory value: (hydra\..+)", str(error)):  # in a job it is there no more
                raise ConfigError(f"{error.full_key}: {_of_hydra(match[1])}") from error
        except (InterpolationKeyError, UnsupportedInterpolationType) as error:
            raise ConfigError(unresolved(error)) from error
        except OmegaConfBaseException:  # it is known when the job begins, such as ${hydra:job.num}
            continue
