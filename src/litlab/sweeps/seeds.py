"""Jobs that differ only in their seed or their fold: mean, deviation, and whether two groups can be told apart."""

import math
import statistics
from collections.abc import Sequence

from litlab.sweeps.jobs import Job, Sweep

REPEATED = ("seed", "data.fold")  # settings whose values are repetitions of the same experiment
STEPS = 4000  # of the sum in `student`, which is right to four digits


def settings_compared(sweep: Sweep) -> list[str]:
    """The swept settings without those that only repeat."""
    return [name for name in sweep.swept if name not in REPEATED]


def repeated(sweep: Sweep) -> str:
    """`seeds`, `folds` or both: what the jobs repeat; empty if they do not."""
    return " x ".join(name.rpartition(".")[2] + "s" for name in REPEATED if name in sweep.swept)


def counted(sweep: Sweep) -> list[Job]:
    """The finished jobs, the best first, and only one of those with the same settings: it is one experiment."""
    found: dict[tuple[str | None, ...], Job] = {}
    for job in sweep.finished:
        found.setdefault(tuple(map(job.settings.get, sweep.swept)), job)
    return list(found.values())


def groups(sweep: Sweep) -> dict[tuple[str, ...], list[float]]:
    """The scores of the finished jobs, one group for those that differ only in `REPEATED`; the best mean first.

    Returns:
        By the values of the other settings: a score for each repetition.
    """
    names = settings_compared(sweep)
    scores: dict[tuple[str, ...], list[float]] = {}
    for job in counted(sweep):
        assert job.score is not None
        scores.setdefault(tuple(job.settings.get(name, "") for name in names), []).append(job.score)
    return dict(sorted(scores.items(), key=lambda item: statistics.mean(item[1]), reverse=sweep.best_of is max))


def student(degrees: float) -> float:
    """Student's t for a two-sided interval of 95 %, also for a fraction of a degree of freedom.

    With t = sqrt(degrees) * tan(angle), the density of the angle is that of cos(angle) ** (degrees - 1). It is summed
    over small steps, up to 95 % of the whole.

    Args:
        degrees: of freedom, at least 1.
    """
    if degrees > 200:
        return 1.96 + 2.38 / degrees
    step = math.pi / 2 / STEPS
    weights = [math.cos((n + 0.5) * step) ** (degrees - 1) for n in range(STEPS)]
    left = 0.95 * math.fsum(weights)
    for n, weight in enumerate(weights):
        if left <= weight:
            return math.sqrt(degrees) * math.tan((n + left / weight) * step)
        left -= weight
    raise AssertionError


def half_interval(scores: Sequence[float]) -> float | None:
    """Half of the 95 % interval of the mean; None for one score."""
    if len(scores) < 2:
        return None
    return student(len(scores) - 1) * statistics.stdev(scores) / math.sqrt(len(scores))


def are_distinguishable(one: Sequence[float], other: Sequence[float]) -> bool | None:
    """Whether the means of two groups differ at 95 % (Welch's t-test); None if a group has one score only."""
    if min(len(one), len(other)) < 2:
        return None
    parts = [statistics.variance(scores) / len(scores) for scores in (one, other)]
    difference = abs(statistics.mean(one) - statistics.mean(other))
    if sum(parts) == 0:
        return difference > 0
    degrees = sum(parts) ** 2 / sum(
        part**2 / (len(scores) - 1) for part, scores in zip(parts, (one, other), strict=True)
    )
    return difference / math.sqrt(sum(parts)) > student(degrees)
