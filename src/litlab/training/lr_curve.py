"""The losses of a range test, and what they say about learning rates."""

import math
import statistics
from dataclasses import dataclass

SMOOTHING = 3.0  # steps: the standard deviation of the bell by which losses are averaged
IN_SWEEP = 7  # rates of the sweep that is suggested
BEYOND = 2.0  # its highest one, over the first rate that is too high: a schedule warms up, and the best one is inside
CAP = 1.5  # a loss that explodes counts as so many times the first ones: it would bend the curve steps before


@dataclass(frozen=True)
class Curve:
    """The losses of one seed.

    Args:
        rates: learning rates, rising.
        losses: of each step, as they were.
        smooth: the same, smoothed.
    """

    rates: list[float]
    losses: list[float]
    smooth: list[float]

    @property
    def lowest(self) -> int:
        """The place of the lowest smoothed loss."""
        return min(range(len(self.smooth)), key=self.smooth.__getitem__)

    @property
    def steepest(self) -> float:
        """The rate at which the smoothed loss falls fastest."""
        falls = [self.smooth[i] - self.smooth[i + 1] for i in range(max(1, self.lowest))]
        return self.rates[max(range(len(falls)), key=falls.__getitem__)]

    @property
    def too_high(self) -> float:
        """The first rate at which half of what was learned is lost again; the last rate if there is none."""
        low = self.smooth[self.lowest]
        limit = low + 0.5 * (self.smooth[0] - low)
        lost = (rate for rate, loss in zip(self.rates, self.smooth, strict=True) if loss > limit)
        return next((rate for rate in lost if rate > self.rates[self.lowest]), self.rates[-1])


def sweep_rates(curves: list[Curve]) -> list[float]:
    """Rates for a sweep: from a tenth of the lowest suggestion to `BEYOND` times the first rate that is too high."""
    low = min(curve.steepest for curve in curves) / 10
    high = BEYOND * min(curve.too_high for curve in curves)
    return [low * (high / low) ** (number / (IN_SWEEP - 1)) for number in range(IN_SWEEP)]


def diverges(losses: list[float]) -> bool:
    """Whether the last losses are far above the first ones, and above the best."""
    recent = statistics.median(losses[-3:])
    return len(losses) > 10 and recent > 4 * max(statistics.median(losses[:5]), 1e-12)


def smoothed(losses: list[float]) -> list[float]:
    """Each loss averaged with its neighbours before and after, so that the curve does not lag behind."""
    first = statistics.median(losses[:5]) if losses else 0.0
    losses = [min(loss, first + (CAP - 1) * abs(first)) for loss in losses]
    found = []
    for place in range(len(losses)):
        bell = [math.exp(-0.5 * ((place - other) / SMOOTHING) ** 2) for other in range(len(losses))]
        found.append(sum(w * loss for w, loss in zip(bell, losses, strict=True)) / sum(bell))
    return found
