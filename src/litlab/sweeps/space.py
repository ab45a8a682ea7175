"""The settings that Optuna searches, and the values that it can choose for each."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    Values: TypeAlias = CategoricalDistribution | FloatDistribution | IntDistribution

Space = dict[str, "Values"]  # by the key of the override, such as `optimizer.lr`


def distribution(override: Override) -> "Values":
    """The values that an override of the command line names, as Optuna describes them.

    Raises:
        HydraException: if Optuna refuses them.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values: Any = override.value()
    kind: Any
    try:
        if isinstance(values, IntervalSweep):
            whole = isinstance(values.start, int) and isinstance(values.end, int)
            kind = IntDistribution if whole else FloatDistribution
            return kind(values.start, values.end, log="log" in values.tags)
        if isinstance(values, RangeSweep) and not values.shuffle:
            steps = sorted(values.range())
            if len(steps) > 1:
                kind = IntDistribution if all(isinstance(step, int) for step in steps) else FloatDistribution
                return kind(steps[0], steps[-1], step=abs(values.step))
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise HydraException(f"{override.input_line}: {error}") from error


def choose(trial: "Trial", name: str, values: "Values") -> None:
    """Lets the study's sampler choose a value. A value that was chosen before stays."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(values, FloatDistribution):
        trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)
    elif isinstance(values, IntDistribution):
        trial.suggest_int(name, values.low, values.high, step=values.step, log=values.log)
    else:
        trial.suggest_categorical(name, values.choices)


def some_values(values: "Values") -> Sequence[Any]:
    """All values if they can be counted, else the lowest alone."""
    from optuna.distributions import CategoricalDistribution

    return values.choices if isinstance(values, CategoricalDistribution) else [values.low]


def ends(values: "Values") -> Sequence[Any]:
    """All values if they can be counted, else those next to the ends: an interval hardly ever gives an end."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(values, CategoricalDistribution):
        return values.choices
    if isinstance(values, FloatDistribution) and values.step is None:
        return [math.nextafter(values.low, values.high), math.nextafter(values.high, values.low)]
    return [values.low, values.high]


def written(value: Any) -> str:
    """A chosen value in an override. Six digits are enough for a learning rate, and keep folder names short."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
