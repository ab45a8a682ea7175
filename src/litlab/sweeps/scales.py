"""How numbers are written in the picture of a sweep, and on which scale they are told apart."""

import math
import statistics
from collections.abc import Sequence

from matplotlib.axes import Axes

WIDE = 1e4  # what differs more in size is told apart on a logarithmic axis only


def scale(values: Sequence[float]) -> tuple[str, dict[str, float]]:
    """The scale on which values are told apart: one of a job that diverges would press all others together.

    Returns:
        For Matplotlib: `linear`; `log` if the values have very different sizes; `symlog` if not all of these are
        positive, with the value up to which that one is linear.
    """
    finite = [value for value in values if math.isfinite(value)]
    sizes = sorted(abs(value) for value in finite if value)
    if sizes and min(finite) > 0:
        return ("log" if sizes[-1] > WIDE * sizes[0] else "linear"), {}
    if sizes and sizes[-1] > WIDE * (middle := statistics.median_low(sizes)):
        return "symlog", {"linthresh": middle}
    return "linear", {}


def set_scale(axes: Axes, values: Sequence[float]) -> None:
    """Draws values on the scale on which they are told apart."""
    name, settings = scale(values)
    axes.set_yscale(name, **settings)


def is_wide(values: Sequence[float], ratio: float = 10) -> bool:
    """Whether values are told apart better on a logarithmic axis."""
    return min(values) > 0 and max(values) / min(values) >= ratio


def in_digits(value: float) -> str:
    """A value of the objective."""
    return f"{value:.4f}" if abs(value) < WIDE else f"{value:.2e}"


def is_number(text: str | None) -> bool:
    """Whether the value of a setting is a number."""
    try:
        float(text or "")
    except ValueError:
        return False
    return True
