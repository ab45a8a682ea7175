"""A config as plain data. A value that is missing, or that refers to nothing, is named with its setting."""

from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

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
    """`model.channels: Interpolation key 'modle.x' not found`: OmegaConf's message, with the setting."""
    said = one_line(error)
    return f"{error.full_key}: {said}" if error.full_key and str(error.full_key) not in said else said
