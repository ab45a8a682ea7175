"""Jobs that differ only in their seed or their fold: mean, deviation, and whether two groups can be told apart."""

import math
import statistics
from collections.abc import Sequence

from litlab.sweeps.jobs import Sweep

REPEATED = ("seed", "data.fold")  # settings whose values are repetitions of the same experiment

# Student's t for a two-sided interval of 95 %, by degrees of freedom.
T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
     2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)  # fmt: skip


def settings_compared(sweep: Sweep) -> list[str]:
    """The swept settings without those that only repeat."""
    return [name for name in sweep.swept if name not in REPEATED]


def repeated(sweep: Sweep) -> str:
    """`seeds`, `folds` or both: what the jobs repeat; empty if they do not."""
    return " x ".join(name.rpartition(".")[2] + "s" for name in REPEATED if name in sweep.swept)


def groups(sweep: Sweep) -> dict[tuple[str, ...], list[float]]:
    """The scores of the finished jobs, one group for those that differ only in `REPEATED`; the best mean first.

    Returns:
        By the values of the other settings: a score for each repetition.
    """
    names = settings_compared(sweep)
    found: dict[tuple[str, ...], dict[tuple[str, str], float]] = {}  # two jobs with the same seed and fold count once
    for job in sweep.finished:
        assert job.score is not None
        values = tuple(job.settings.get(name, "") for name in names)
        found.setdefault(values, {}).setdefault((job.seed, job.settings.get("data.fold", "")), job.score)
    scores = {values: list(repeated.values()) for values, repeated in found.items()}
    return dict(sorted(scores.items(), key=lambda item: statistics.mean(item[1]), reverse=sweep.best_of is max))


def student(degrees: float) -> float:
    """Student's t for an interval of 95 %. Between whole degrees of freedom, that of the lower ones."""
    return T[max(1, int(degrees)) - 1] if degrees < len(T) + 1 else 1.96 + 2.46 / degrees


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
