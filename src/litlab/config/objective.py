"""Whether a higher or a lower value of a monitored metric is better."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from litlab.config.targets import find
from litlab.direction import Direction, better
from litlab.errors import ConfigError

# Where the direction of a metric beside the objective is written, and which setting names that metric.
MONITORS = {
    "scheduler.mode": "scheduler.monitor",
    "callbacks.early_stopping.mode": "callbacks.early_stopping.monitor",
}


def objective_mode(cfg: Mapping[str, Any]) -> Any:
    """`min` or `max`: as configured, else what the objective's class or its name says.

    Raises:
        ConfigError: if `objective_mode` is another word, or there are several objectives.
    """
    if isinstance(cfg["objective"], Sequence) and not isinstance(cfg["objective"], str):
        names = ", ".join(map(str, cfg["objective"]))
        raise ConfigError(f"objective=[{names}]: there can be one only; sweep.csv has a column for each other metric")
    given = cfg["objective_mode"]
    if given not in (None, "min", "max"):
        raise ConfigError(f"objective_mode={given}: must be min, max or null")
    return given or direction_of(cfg, str(cfg["objective"]))


def directions(cfg: Mapping[str, Any]) -> dict[str, Direction]:
    """The direction of each monitored metric, by the key that holds it, such as `scheduler.mode`.

    A direction that the config gives stays. The objective's counts wherever the objective is monitored. Each other
    metric has a direction of its own.

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
            own = found["objective_mode"] if metric == cfg["objective"] else direction_of(cfg, str(metric))
            found[key] = group[mode] or own
    return found


def direction_of(cfg: Mapping[str, Any], metric: str) -> Direction:
    """The direction that the class of a metric in the group `metrics` says, else that of its name.

    Args:
        cfg: a config, or plain data with its interpolations resolved.
        metric: as it is logged, such as `val/f1`.
    """
    node = _group(cfg, f"metrics.{metric.rpartition('/')[2]}.")
    try:
        found = find(str(node["_target_"]))
    except Exception:  # it is none of this group, or there is no such class: `check` tells the user
        return better(metric)
    # torchmetrics' F1Score makes a MulticlassF1Score, and does not say itself which values are better.
    of_classes = getattr(sys.modules.get(found.__module__), f"Multiclass{found.__name__}", None)
    higher = [getattr(cls, "higher_is_better", None) for cls in (found, of_classes)]
    known = next((value for value in higher if isinstance(value, bool)), None)
    return better(metric) if known is None else "max" if known else "min"


def _group(cfg: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The mapping that holds a key; an empty one if there is none."""
    node: Any = cfg
    for part in key.split(".")[:-1]:
        node = node.get(part) or {}
    return node if isinstance(node, Mapping) else {}
