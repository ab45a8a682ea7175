"""Whether a higher or a lower value of a monitored metric is better."""

from collections.abc import Mapping, Sequence
from typing import Any

from litlab.direction import Direction, better
from litlab.errors import ConfigError

# Where the direction of a metric beside the objective is written, and which setting names that metric.
MONITORS = {
    "scheduler.mode": "scheduler.monitor",
    "callbacks.early_stopping.mode": "callbacks.early_stopping.monitor",
}


def objective_mode(cfg: Mapping[str, Any]) -> Any:
    """`min` or `max`: as configured, else by the name of the objective.

    Raises:
        ConfigError: if `objective_mode` is another word, or there are several objectives.
    """
    if isinstance(cfg["objective"], Sequence) and not isinstance(cfg["objective"], str):
        names = ", ".join(map(str, cfg["objective"]))
        raise ConfigError(f"objective=[{names}]: there can be one only; sweep.csv has a column for each other metric")
    given = cfg["objective_mode"]
    if given not in (None, "min", "max"):
        raise ConfigError(f"objective_mode={given}: must be min, max or null")
    return given or better(str(cfg["objective"]))


def directions(cfg: Mapping[str, Any]) -> dict[str, Direction]:
    """The direction of each monitored metric, by the key that holds it, such as `scheduler.mode`.

    A direction that the config gives stays. The objective's counts wherever the objective is monitored. Each other
    metric has the direction of its own name.

    Args:
        cfg: a config, or plain data with its interpolations resolved.

    Raises:
        ConfigError: if `objective_mode` is a wrong word.
    """
    found = {"objective_mode": objective_mode(cfg)}
    for key, monitor in MONITORS.items():
        group = _group(cfg, key)
        metric, mode = group.get(monitor.rpartition(".")[2]), key.rpartition(".")[2]
        if metric is not None and mode in group:
            own = found["objective_mode"] if metric == cfg["objective"] else better(str(metric))
            found[key] = group[mode] or own
    return found


def _group(cfg: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The mapping that holds a key; an empty one if there is none."""
    node: Any = cfg
    for part in key.split(".")[:-1]:
        node = node.get(part) or {}
    return node if isinstance(node, Mapping) else {}
