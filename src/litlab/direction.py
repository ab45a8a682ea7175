"""Whether a higher or a lower value of a metric is better. Sweeps, schedules, callbacks and the config all ask here."""

from typing import Literal

Direction = Literal["min", "max"]

FALLING = ("loss", "mae", "mse", "error")  # the last part of the names of metrics that are better when lower


def better(metric: str) -> Direction:
    """`min` if a lower value of this metric is better, else `max`.

    Args:
        metric: as it is logged, such as `val/loss`.
    """
    return "min" if metric.rpartition("/")[2] in FALLING else "max"
