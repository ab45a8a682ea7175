"""Whether a higher or a lower value of the objective is better."""

from typing import Any

from omegaconf import DictConfig

from litlab.errors import ConfigError


def objective_mode(cfg: DictConfig) -> Any:
    """`min` or `max`: as configured, else by the name of the objective.

    Raises:
        ConfigError: if `objective_mode` is another word.
    """
    if cfg.objective_mode not in (None, "min", "max"):
        raise ConfigError(f"objective_mode={cfg.objective_mode}: must be min, max or null")
    falls = ("loss", "mae", "mse", "error")
    return cfg.objective_mode or ("min" if str(cfg.objective).rpartition("/")[2] in falls else "max")
