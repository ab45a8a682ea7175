"""Refuses a group that is no mapping of settings: an option that a config file names as if it were a setting."""

from collections.abc import Mapping
from typing import Any

from litlab.errors import ConfigError

GROUPS = ("data", "model", "loss", "optimizer", "scheduler", "mix", "task", "trainer")  # each makes one part of a run
WITH_OPTIONS = (*GROUPS, "callbacks", "logger", "metrics")


def check_mappings(plain: Mapping[Any, Any], chosen: Mapping[str, str]) -> None:
    """Refuses text, a number or a list where a group has its settings.

    Args:
        plain: a config as plain data.
        chosen: the option of each group.

    Raises:
        ConfigError: naming the group, and what to write.
    """
    for group in (*WITH_OPTIONS, "checkpoint"):
        value = plain.get(group)
        if value is None or isinstance(value, Mapping) or str(value).startswith("${"):
            continue
        recipes = [f"conf/{it}/{chosen[it]}.yaml: " for it in ("experiment", "debug") if _is(chosen, it)]
        where = recipes[0] if len(recipes) == 1 else ""
        if isinstance(value, str) and group in WITH_OPTIONS:
            raise ConfigError(
                f"{where}{group}: {value} chooses no option; write `defaults: [override /{group}: {value}]`"
            )
        kind = "a list" if isinstance(value, list) else f"{value}"
        where = f"conf/{group}/{chosen[group]}.yaml: " if _is(chosen, group) and not recipes else where
        raise ConfigError(f"{where}{group}: must be a mapping of settings, such as `name: value`, and not {kind}")
    for group in WITH_OPTIONS:
        for key, value in (plain.get(group) or {}).items():
            if value is None and ":" in str(key):
                name, _, rest = str(key).partition(":")
                raise ConfigError(f"{group}: write a space after the colon: `{name}: {rest}`, not `{key}`")


def _is(chosen: Mapping[str, str], group: str) -> bool:
    """Whether an option of a group is chosen: Hydra has None, or the text of it, for none."""
    return str(chosen.get(group, "None")) != "None"
